"""Two models over the same history: windows, scores and incidents side by side."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detector.alerting.summaries import IncidentSummary
from detector.cli.replay.comparison_summary import comparison_document, print_comparison
from detector.comparison.models import Correlation, ShadowReplay, match
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, PlainRecord
from detector.replay import EventTimeRange, replay
from detector.series.values import WindowBatch
from tests.shadow.test_shadow import LEVELS, SETTINGS, records
from tests.worker.support import START_MS, MagnitudeScorer, make_context

SECOND_NS = 10**9


def incident(name: str, start: int, end: int | None, opened: int | None = None, **change: Any) -> IncidentSummary:
    """Seconds; one without an end is open."""
    known = end if end is not None else start + 5
    made = IncidentSummary(
        incident_id=name, kind="reconstruction", stream="s", series="p", severity="info", started_ns=start * SECOND_NS,
        opened_ns=(start if opened is None else opened) * SECOND_NS, peak_ns=start * SECOND_NS,
        updated_ns=known * SECOND_NS, ended_ns=None if end is None else end * SECOND_NS, closed_ns=None,
        close_reason=None, duration_seconds=0.0, peak_score=2.0, peak_ratio=2.0, channels=(), events=1, partition=0,
        first_offset=0, opened_offset=0, last_offset=0,
    )  # fmt: skip
    return replace(made, **change)


class TestMatch:
    @pytest.mark.parametrize(
        ("champion", "challenger", "both"),
        [
            ((10, 20), (15, 30), True),
            ((10, 20), (20, 30), True),
            ((10, 20), (21, 30), False),
            ((10, 40), (15, 20), True),
            ((10, None), (14, 20), True),
            ((10, None), (16, 20), False),
        ],
    )
    def test_an_overlap_in_time_makes_a_pair(self, champion, challenger, both):
        found = match([incident("a", *champion)], [incident("b", *challenger)])
        assert (len(found.pairs), len(found.champion_only), len(found.challenger_only)) == (
            (1, 0, 0) if both else (0, 1, 1)
        )
        turned = match([incident("b", *challenger)], [incident("a", *champion)])
        assert len(turned.pairs) == int(both)

    @pytest.mark.parametrize("change", [{"series": "q"}, {"partition": 1}, {"stream": "other"}, {"kind": "silence"}])
    def test_what_is_elsewhere_is_no_pair(self, change):
        assert not match([incident("a", 10, 20)], [incident("b", 10, 20, **change)]).pairs

    def test_one_may_overlap_several_and_is_a_pair_with_the_first(self):
        found = match(
            [incident("long", 10, 50, opened=14), incident("lone", 100, 110)],
            [incident("two", 30, 35), incident("one", 9, 12, opened=11), incident("else", 60, 70)],
        )
        assert [(pair.champion.incident_id, pair.challenger.incident_id) for pair in found.pairs] == [("long", "one")]
        assert found.pairs[0].lead_seconds == 3
        assert found.median_lead_seconds == 3
        assert [each.incident_id for each in found.champion_only] == ["lone"]
        assert [each.incident_id for each in found.challenger_only] == ["else"]
        assert match([], []).median_lead_seconds is None


class TestCorrelation:
    def test_it_is_that_of_the_logarithms_however_it_comes_in(self):
        random = np.random.default_rng(0)
        one = np.exp(random.normal(size=500))
        other = one**0.5 * np.exp(random.normal(size=500))
        other[7] = np.nan
        found = Correlation()
        for start in range(0, 500, 77):
            found.add(one[start : start + 77], other[start : start + 77])
        known = ~np.isnan(other)
        assert found.value == pytest.approx(np.corrcoef(np.log(one[known]), np.log(other[known]))[0, 1], abs=1e-12)

    def test_where_there_is_nothing_to_tell(self):
        assert Correlation().value is None
        steady = Correlation()
        steady.add(np.ones(5), np.arange(5.0))
        assert steady.value is None


class Late(MagnitudeScorer):
    """Sees a fault one sample later: it looks at the row before the last."""

    def score(self, batch: WindowBatch, states: Any) -> Any:
        return super().score(replace(batch, values=np.roll(batch.values, 1, axis=1)), states)


def beside(scorer: Any = None, **policy: Any) -> StreamContext:
    context = make_context(SETTINGS, "cluster", scorer, **policy)
    return replace(context, identity=replace(context.identity, model="1" * 64))


def compare(challenger: StreamContext, items: list[PlainRecord], counted: EventTimeRange | None = None) -> ShadowReplay:
    counted = counted or EventTimeRange()
    topic = "none.input"
    chunks = [(InputPartition(topic, 0), items[start : start + 9]) for start in range(0, len(items), 9)]
    shadow = ShadowReplay({topic: challenger}, counted)
    replay(shadow.watch(chunks), {topic: make_context(SETTINGS, "cluster")}, counted, [shadow])
    return shadow


class TestShadowReplay:
    def test_the_same_model_differs_in_nothing(self):
        document = comparison_document(compare(beside(), records(LEVELS)))
        assert document["windows"] == {
            "neither": 60, "both": 8, "champion_only": 0, "challenger_only": 0, "unscored": 0, "unmatched": 0,
        }  # fmt: skip
        assert document["correlation"] == 1.0
        assert document["incidents"] == {
            "both": 2, "champion_only": 0, "challenger_only": 0, "champion": 2, "challenger": 2,
        }  # fmt: skip
        assert document["lead_seconds"] == {"median": 0.0, "challenger_earlier": 0, "champion_earlier": 0}
        assert document["challengers"][0]["model"] == "1" * 64

    def test_one_that_is_slower_and_blinder(self):
        document = comparison_document(compare(beside(Late(), threshold=2.0, quiet_score=1.6), records(LEVELS)))
        assert document["incidents"] == {
            "both": 1, "champion_only": 1, "challenger_only": 0, "champion": 2, "challenger": 1,
        }  # fmt: skip
        assert document["lead_seconds"] == {"median": -1.0, "challenger_earlier": 0, "champion_earlier": 1}
        (alone,) = document["champion_only"]
        assert (alone["series"], alone["peak_score_over_threshold"]) == ("p", 1.5)
        text = io.StringIO()
        print_comparison(document, text)
        assert "In the shadow: test" in text.getvalue()
        assert "incidents: 1 of 2 the challenger has too, 1 only the model, 0 only the challenger" in text.getvalue()
        assert "the challenger opened 0 earlier and 1 later; at the median 1 s later" in text.getvalue()
        assert "correlation of the scores (logarithms): " in text.getvalue()

    def test_windows_of_another_length(self):
        challenger = beside()
        longer = replace(challenger, spec=replace(challenger.spec, length=5))
        document = comparison_document(compare(longer, records({"p": [0.1] * 12})))
        assert (document["windows"]["neither"], document["windows"]["unmatched"]) == (8, 2)

    def test_only_what_counts_is_compared(self):
        since = (START_MS + 20_000) * 1_000_000
        document = comparison_document(compare(beside(), records(LEVELS), EventTimeRange(since_ns=since)))
        assert sum(document["windows"].values()) == 2 * 16
        assert document["incidents"]["both"] == document["incidents"]["challenger"] == 1

    def test_names_from_records_steer_no_terminal(self):
        document = comparison_document(compare(beside(threshold=9.0), records({"[red]\x1b[2J": LEVELS["p"]})))
        text = io.StringIO()
        print_comparison(document, text)
        assert "\x1b[2J" not in text.getvalue()
        assert "[red]" in text.getvalue()
