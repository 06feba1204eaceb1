from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.alerting.identity import Identity
from detector.alerting.lifecycle import count_incidents
from detector.alerting.policy import IncidentPolicy
from detector.cli.replay.what_if_summary import print_what_if
from detector.comparison.thresholds import RATIOS, WhatIf
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import ScoreRows
from detector.records.values import InputPartition, PlainRecord
from detector.replay import EventTimeRange, Taken, replay
from detector.series.spec import WindowSpec
from tests.worker.support import START_MS, MagnitudeScorer, Nowhere, make_context, make_settings

SECOND_NS = 1_000_000_000
PARTITION = InputPartition("none.input", 0)


def policy(**changes) -> IncidentPolicy:
    numbers = {
        "threshold": 4.0, "quiet_score": 3.0, "open_after": 2, "close_after": 3, "cool_down_ns": 0,
        "update_every_ns": 2**62, "warning_ratio": 2.0, "critical_ratio": 4.0, "top_channels": 1, "channels": ("x",),
    }  # fmt: skip
    return IncidentPolicy(**{**numbers, **changes})


def context(incidents: IncidentPolicy, period_ns: int | None = None) -> StreamContext:
    return StreamContext(
        name="s", reader=None, scorer=MagnitudeScorer(), policy=incidents,
        spec=WindowSpec(
            length=2, channels=1, period_ns=period_ns, max_gap_steps=2, stride=1, lateness_ns=0,
            max_jump_ns=2**60, stale_after_ns=2**60, forget_after_ns=2**60, min_coverage=0.5, max_series=100,
        ),
        identity=Identity("s", "c", "t", 0, "m", "v", "f"),
    )  # fmt: skip


def take(what_if: WhatIf, scores: np.ndarray, series="a", times=None, anew=()) -> None:
    times = np.arange(len(scores)) * SECOND_NS if times is None else times
    begins = np.isin(np.arange(len(scores)), [0, *anew])
    for piece in np.array_split(np.arange(len(scores)), 7):
        rows = ScoreRows([series] * len(piece), times[piece], piece, scores[piece], begins[piece])
        what_if.take(Taken(PARTITION, 4.0, [], [], [rows]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cool_down", [0, 5])
def test_each_threshold_counts_what_the_live_logic_would_have_opened(seed, cool_down):
    random = np.random.default_rng(seed)
    scores = np.abs(np.convolve(random.standard_cauchy(3000), np.ones(3) / 3, "same"))
    scores[random.random(3000) < 0.02] = np.nan
    incidents = policy(cool_down_ns=cool_down * SECOND_NS)
    what_if = WhatIf(context(incidents))
    take(what_if, scores)
    times = np.arange(3000) * SECOND_NS
    expected = [
        count_incidents(scores, times, policy(threshold=4 * r, quiet_score=3 * r, cool_down_ns=incidents.cool_down_ns))
        for r in RATIOS
    ]
    assert [one.incidents for one in what_if.tried] == expected
    assert expected[0] > expected[-1] > 0


def test_series_do_not_mix():
    what_if = WhatIf(context(policy()))
    for number in range(3):
        take(what_if, np.r_[0.0, 9.0, 9.0, np.zeros(5)], f"series {number}")
    assert [(one.incidents, len(one.series)) for one in what_if.tried if one.ratio in (1, 4)] == [(3, 3), (0, 0)]


def test_a_series_that_begins_anew_ends_an_incident():
    found = []
    for anew in ((), (2,)):
        what_if = WhatIf(context(policy()))
        take(what_if, np.full(4, 9.0), anew=anew)
        found.append(next(one.incidents for one in what_if.tried if one.ratio == 1))
    assert found == [1, 2]


@pytest.mark.parametrize("period_ns", [None, SECOND_NS])
def test_what_the_replay_of_a_stream_opens_is_counted_across_gaps(period_ns):
    """Without a period a series begins anew after a jump, or when it was silent for so long that it was forgotten."""
    seconds = [*range(40), *range(50, 90), *range(490, 520), *range(720, 760)]
    made = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    spec = replace(made.spec, period_ns=period_ns, max_jump_ns=300 * SECOND_NS, forget_after_ns=200 * SECOND_NS)
    made = replace(made, spec=spec, keep_scores=True)
    loud = json.dumps({"a": 9.0, "b": 0.0}).encode()
    records = [
        PlainRecord("none.input", 0, offset, START_MS + second * 1000, b"pump", loud)
        for offset, second in enumerate(seconds)
    ]
    what_if = WhatIf(made)
    result = replay([(PARTITION, records)], {PARTITION.topic: made}, EventTimeRange(), [what_if])
    opened = sum(event.event == "opened" for event in result.events)
    assert next(one.incidents for one in what_if.tried if one.ratio == 1) == opened
    assert opened == (3 if period_ns is None else 4)


def test_the_table_marks_the_threshold_in_force(tmp_path: Path):
    what_if = WhatIf(context(policy()))
    take(what_if, np.r_[np.zeros(86_400), 9.0, 9.0])
    document = json.loads(json.dumps(what_if.document()))
    assert document["days"] == pytest.approx(1, abs=1e-4)
    with (tmp_path / "out").open("w") as stream:
        print_what_if(document, stream)
    lines = (tmp_path / "out").read_text().splitlines()
    (marked,) = [line for line in lines if "in force" in line]
    assert marked.split()[:6] == ["4", "in", "force", "1", "1", "7"]


def test_thresholds_that_nothing_exceeds_are_told_of_once(tmp_path: Path):
    what_if = WhatIf(context(policy()))
    take(what_if, np.r_[np.zeros(100), 6.0, 6.0])
    with (tmp_path / "out").open("w") as stream:
        print_what_if(what_if.document(), stream)
    text = (tmp_path / "out").read_text()
    # 4 x 1.41 is exceeded, 4 x 2 is not; of the others only the last is named.
    assert [line.split()[0] for line in text.splitlines() if " x " in line][-2:] == ["5.657", "8"]
    assert text.endswith("none at any higher threshold that was tried, up to 64\n")


def test_no_history_is_no_rate():
    assert WhatIf(context(policy())).document()["thresholds"][0]["incidents_per_day"] is None


def test_samples_that_no_score_is_known_of_are_no_gap():
    scores = np.array([9.0, 9.0, *[np.nan] * 10, 9.0, 9.0])
    what_if = WhatIf(context(policy(), period_ns=SECOND_NS))
    take(what_if, scores)
    assert next(one.incidents for one in what_if.tried if one.ratio == 1) == 1
