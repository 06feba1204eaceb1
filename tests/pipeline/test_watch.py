"""Series that stop and channels that freeze, through a partition's pipeline: exact events, and nothing else counts."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.events import encode
from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import StandingPolicy
from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.restoring.pipeline import bring_up, read_again
from detector.series.eviction import Residency
from detector.series.frozen import FreezeLimits
from detector.state import STATE_VERSION, Control, decode_control, encode_state
from tests.worker.support import SECOND_NS, START_MS, Nowhere, make_context, make_settings

SILENT_AFTER = 10
FORGET_AFTER = 120
LIMITS = FreezeLimits((4, inf))
CALM = StandingPolicy(inf, 2**62)
"""Nothing is told while an incident lasts."""
ALL_SERIES = ("s0", "s1", "s2", "s3")


def context(**changed: Any) -> StreamContext:
    made = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    spec = replace(
        made.spec,
        forget_after_ns=FORGET_AFTER * SECOND_NS,
        max_jump_ns=300 * SECOND_NS,
        claims_alone=3,
        claims_shared=2,
    )
    return replace(
        made,
        **{
            "spec": spec,
            "silence": SilencePolicy(SILENT_AFTER * SECOND_NS, CALM),
            "freezes": LIMITS,
            "frozen": CALM,
        }
        | changed,
    )


def lively(**changed: Any) -> StreamContext:
    """Incidents that last soon become critical, and are repeated often."""
    silence = SilencePolicy(SILENT_AFTER * SECOND_NS, StandingPolicy(2.0, 25 * SECOND_NS))
    return context(**{"silence": silence, "frozen": StandingPolicy(1.5, 4 * SECOND_NS)} | changed)


def plain(offset: int, series: str, second: float, a: float | None = None) -> PlainRecord:
    """A quiet record; channel a moves with the offset unless a value is given."""
    value = json.dumps({"a": offset / 10_000 if a is None else a, "b": 0.0}).encode()
    return PlainRecord("none.input", 0, offset, START_MS + round(second * 1000), series.encode(), value)


def run(pipeline: PartitionPipeline, script: Sequence[tuple[Any, ...]], first: int = 0) -> list[Any]:
    records = [plain(offset, *what) for offset, what in enumerate(script, first)]
    return [event for _, event in pipeline.process(records).events]


def seconds(text: str | None) -> float | None:
    from detector.alerting.timestamps import parse_time

    return None if text is None else (parse_time(text) // 1_000_000 - START_MS) / 1000


def told(events: list[Any]) -> list[tuple[Any, ...]]:
    return [(e.kind, e.event, e.series, e.source.last_offset, e.close_reason) for e in events]


# -- silence
# --------------------------------------------------------------------------------------------------------------


def both(until: int, begin: int = 0) -> list[tuple[str, float]]:
    """Two series that speak every second."""
    return [(series, float(second)) for second in range(begin, until) for series in ("s0", "s1")]


def test_a_series_that_stops_opens_one_incident_and_closes_it_when_it_speaks_again():
    found = run(PartitionPipeline(context(), 0), [("s2", 0.0), ("s2", 1.0), *both(40), ("s2", 40.0), *both(45, 40)])
    assert told(found) == [("silence", "opened", "s2", 27, None), ("silence", "closed", "s2", 82, "resumed")]
    opened, closed = found
    # s0 reached 12 s with record 26, s1 with 27: then both were more than 10 s ahead of 1 s.
    assert [seconds(t) for t in (opened.started_at, opened.opened_at, opened.updated_at)] == [1, 12, 12]
    assert (opened.score, opened.threshold, opened.duration_seconds, opened.severity) == (11.0, 10.0, 11.0, "warning")
    assert (opened.source.opened_offset, opened.source.first_offset, opened.channels) == (27, 27, ())
    assert opened.incident_id == closed.incident_id
    assert (closed.sequence, closed.score, closed.score_over_threshold) == (1, 39.0, 3.9)
    assert [seconds(t) for t in (closed.started_at, closed.ended_at, closed.closed_at)] == [1, 40, 40]
    assert (closed.duration_seconds, closed.source.opened_offset) == (39.0, 27)


def test_a_silence_that_lasts_is_repeated_and_becomes_critical():
    policy = SilencePolicy(SILENT_AFTER * SECOND_NS, StandingPolicy(3.0, 15 * SECOND_NS))
    found = run(PartitionPipeline(context(silence=policy), 0), [("s2", 0.0), *both(60), ("s2", 60.0), *both(63, 60)])
    assert [(e.event, e.sequence, e.severity, seconds(e.updated_at), e.score) for e in found] == [
        ("opened", 0, "warning", 11, 11.0),
        ("updated", 1, "warning", 27, 27.0),  # more than 15 s later
        ("updated", 2, "critical", 31, 31.0),  # more than three times the ten seconds allowed
        ("updated", 3, "critical", 47, 47.0),
        ("closed", 4, "critical", 60, 60.0),
    ]
    assert len({e.incident_id for e in found}) == 1
    assert {seconds(e.opened_at) for e in found} == {11}
    # Of an outage of all, one update is told and not one for each that was missed.
    jump = [("s2", 0.0), *both(12), ("s0", 100.0), ("s1", 100.0), ("s0", 101.0)]
    found = run(PartitionPipeline(context(silence=policy), 0), jump)
    assert [(e.event, e.severity, seconds(e.updated_at)) for e in found] == [
        ("opened", "warning", 11), ("updated", "critical", 100),
    ]  # fmt: skip


def test_a_silence_that_is_noticed_late_is_critical_at_once():
    policy = SilencePolicy(SILENT_AFTER * SECOND_NS, StandingPolicy(3.0, 15 * SECOND_NS))
    found = run(PartitionPipeline(context(silence=policy), 0), [*both(3), ("s2", 2.0), ("s0", 80.0), ("s1", 80.0)])
    assert [(e.event, e.severity, e.series) for e in found] == [("opened", "critical", "s2")]


def test_a_silence_ends_with_the_series():
    (opened, closed) = run(PartitionPipeline(context(), 0), [("s2", 0.0), *both(200)])
    assert (closed.event, closed.close_reason, closed.incident_id) == ("closed", "forgotten", opened.incident_id)
    assert closed.duration_seconds > FORGET_AFTER
    # It is new when it comes back, and can fall silent again.
    again = PartitionPipeline(context(), 0)
    run(again, [("s2", 0.0), *both(200)])
    later = run(again, [("s2", 200.0), *both(220, 200)], first=401)
    assert told(later) == [("silence", "opened", "s2", 401 + 1 + 23, None)]


def test_a_clock_that_is_ahead_silences_nobody():
    script = [item for second in range(60) for item in (("s0", second), ("s1", second), ("s2", second + 11))]
    assert run(PartitionPipeline(context(), 0), script) == []


def test_the_last_one_that_speaks_counts_for_two_once_it_has_spoken_often_enough():
    found = run(PartitionPipeline(context(), 0), [("s1", 0.0), *(("s0", 3.0 * step) for step in range(5))])
    # s0 leads from 3 s on, and has done so three times more by 12 s.
    assert told(found) == [("silence", "opened", "s1", 5, None)]


def test_of_several_that_fall_silent_with_one_record_the_name_decides_which_is_told_first():
    script = [("s3", 0.0), ("s2", 1.0), ("s0", 1.0), ("s1", 1.0), ("s0", 13.0), ("s1", 13.0)]
    assert [line[2:4] for line in told(run(PartitionPipeline(context(), 0), script))] == [("s2", 5), ("s3", 5)]


def test_a_partition_that_is_silent_as_a_whole_is_none_of_its_series_silence():
    assert run(PartitionPipeline(context(), 0), [*both(20), *both(120, 100)]) == []


def test_a_device_that_was_cut_off_is_back_when_it_has_caught_up():
    kept = [("s2", float(second)) for second in range(2, 40)]
    found = run(PartitionPipeline(context(), 0), [("s2", 1.0), *both(40), *kept])
    assert told(found) == [("silence", "opened", "s2", 26, None), ("silence", "closed", "s2", 113, "resumed")]
    assert seconds(found[1].ended_at) == 34  # 39 s was agreed on; within half of ten seconds of it
    assert seconds(found[1].closed_at) == 39


def test_history_that_is_loaded_late_is_not_silent_until_it_has_reached_the_present():
    pipeline = PartitionPipeline(context(), 0)
    first = [*both(60), *(("s2", float(second)) for second in range(20)), *both(62, 60)]
    outcome = pipeline.process([plain(offset, *what) for offset, what in enumerate(first)])
    assert (outcome.events, outcome.touched) == ([], {"s2"})
    # Which it is not yet: that is part of its state.
    again = PartitionPipeline(context(), 0)
    for series in ("s0", "s1", "s2"):
        again.restore(series, pipeline.snapshot(series, len(first)))
    again.set_clock(*pipeline.clock())
    again.go_live()
    assert run(again, both(64, 62), len(first)) == []
    present = [*(("s2", float(second)) for second in range(20, 64)), *both(80, 64)]
    assert told(run(again, present, len(first) + 4))[0][:3] == ("silence", "opened", "s2")


def test_switched_off_it_opens_nothing_and_still_closes_what_is_open():
    script = [("s2", 0.0), *both(40)]
    assert run(PartitionPipeline(context(silence=None), 0), script) == []
    on, off = PartitionPipeline(context(), 0), PartitionPipeline(context(silence=None), 0)
    run(on, script)
    for series in ("s0", "s1", "s2"):
        off.restore(series, on.snapshot(series, len(script)))
    off.set_clock(*on.clock())
    off.go_live()
    assert off.open_incidents() == {("silence", "warning"): 1}
    assert told(run(off, [("s2", 41.0)], 81)) == [("silence", "closed", "s2", 81, "resumed")]


def test_an_open_silence_of_a_series_whose_window_is_gone_is_forgotten_in_event_time():
    """A model of another shape takes over: no store holds the series any more, but its incident ends all the same."""
    script = [("s2", 0.0), *both(40)]
    before, after = PartitionPipeline(context(), 0), PartitionPipeline(context(), 0)
    run(before, script)
    for series in ("s0", "s1", "s2"):
        after.restore(series, before.snapshot(series, len(script)), windows=False)
    after.set_clock(*before.clock())
    after.go_live()
    found = run(after, both(200, 40), 81)
    assert [line for line in told(found) if line[2] == "s2"] == [("silence", "closed", "s2", 81 + 163, "forgotten")]


# -- frozen channels
# ------------------------------------------------------------------------------------------------------


def test_a_channel_that_freezes_is_named_and_the_incident_ends_when_it_moves():
    script = [("s0", second, 5.0 if second >= 3 else None) for second in range(9)] + [("s0", 9)]
    found = [e for e in run(PartitionPipeline(context(), 0), script) if e.kind == "frozen"]
    assert told(found) == [("frozen", "opened", "s0", 7, None), ("frozen", "closed", "s0", 9, "moved")]
    opened, closed = found
    (channel,) = opened.channels
    assert (channel.channel, channel.contribution, channel.share, channel.seen, channel.expected) == (
        "a",
        5,
        1,
        5,
        None,
    )
    assert (opened.score, opened.threshold, opened.source.first_offset) == (5.0, 4.0, 3)
    assert [seconds(t) for t in (opened.started_at, opened.opened_at)] == [3, 7]
    assert [seconds(t) for t in (closed.started_at, closed.ended_at, closed.closed_at)] == [3, 8, 9]
    assert (closed.score, closed.channels[0].contribution, closed.duration_seconds) == (6.0, 6.0, 5.0)


def test_a_freeze_that_lasts_is_repeated_and_becomes_critical():
    pipeline = PartitionPipeline(context(frozen=StandingPolicy(3.0, 15 * SECOND_NS)), 0)
    script = [*(("s0", second, 5.0) for second in range(30)), ("s0", 30)]
    found = [e for e in run(pipeline, script) if e.kind == "frozen"]
    assert [(e.event, e.sequence, e.severity, seconds(e.updated_at), e.score) for e in found] == [
        ("opened", 0, "warning", 4, 5.0),
        ("updated", 1, "critical", 11, 12.0),  # three times the limit of four samples
        ("updated", 2, "critical", 26, 27.0),
        ("closed", 3, "critical", 30, 30.0),
    ]


def test_channels_that_join_are_an_update_and_the_incident_lasts_until_none_is_frozen():
    pipeline = PartitionPipeline(context(freezes=FreezeLimits((4, 6))), 0)
    script = [("s0", second, 5.0 if second < 8 else None) for second in range(9)]  # b is 0 all the time
    found = [e for e in run(pipeline, script) if e.kind == "frozen"]
    assert [(e.event, e.sequence, [c.channel for c in e.channels]) for e in found] == [
        ("opened", 0, ["a"]), ("updated", 1, ["a", "b"]),
    ]  # fmt: skip
    moves = json.dumps({"a": 1.0, "b": 1.0}).encode()
    outcome = pipeline.process([PlainRecord("none.input", 0, 9, START_MS + 9000, b"s0", moves)])
    ((_, closed),) = [item for item in outcome.events if item[1].kind == "frozen"]
    assert [(c.channel, c.contribution) for c in closed.channels] == [("b", 9.0), ("a", 7.0)]
    assert (closed.score, closed.threshold) == (7.0, 4.0)  # a exceeded its limit by more than b does


@pytest.mark.parametrize("limits", [None, FreezeLimits((100, inf))])
def test_an_incident_that_the_next_model_would_not_open_closes(limits):
    script = [("s0", second, 5.0) for second in range(6)]
    before, after = PartitionPipeline(context(), 0), PartitionPipeline(context(freezes=limits), 0)
    run(before, script)
    after.restore("s0", before.snapshot("s0", 6))
    after.set_clock(*before.clock())
    after.go_live()
    found = [e for e in run(after, [("s0", 6, 5.0)], 6) if e.kind == "frozen"]
    assert told(found) == [("frozen", "closed", "s0", 6, "moved")]


@pytest.mark.parametrize("remember", [False, True])
def test_of_records_that_nobody_judges_again_no_freeze_is_told(remember):
    """Settings changed: what is read again comes from before them, and moved on with the first record after."""
    script = [("s0", second, 5.0) for second in range(7)]
    before, after = PartitionPipeline(context(freezes=None), 0), PartitionPipeline(context(), 0)
    run(before, script)
    after.set_clock(*before.clock())
    after.rebuild([plain(offset, *what) for offset, what in enumerate(script)], remember=remember)
    after.go_live()
    assert [e for e in run(after, [("s0", 7)], 7) if e.kind == "frozen"] == []


def test_a_frozen_series_that_is_forgotten_closes():
    script = [*(("s2", second, 5.0) for second in range(6)), *both(200)]
    found = [e for e in run(PartitionPipeline(context(), 0), script) if e.kind == "frozen"]
    assert [(e.event, e.close_reason) for e in found] == [("opened", None), ("closed", "forgotten")]


# -- what must not matter
# -------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[PlainRecord]:
    """Runs of a few series that stop, come back, catch up, freeze, lag behind, jump and send what cannot be read."""
    second, records = 0.0, list[PlainRecord]()
    plan = st.tuples(
        st.sampled_from(ALL_SERIES), st.integers(1, 7), st.sampled_from([0.1, 2.0, None, None]),
        st.sampled_from([0, 1, 1, 3, 12, 60, 150]), st.sampled_from([0, 0, 0, 0, -20, -200, 40, 400]),
    )  # fmt: skip
    for series, length, level, step, aside in draw(st.lists(plan, min_size=4, max_size=25)):
        second += step
        for index in range(length):
            value: float | str | None = "no number" if aside == 400 and index == 2 else level
            records.append(plain(len(records), series, 1000 + second + index + aside, value))  # type: ignore[arg-type]
        second += length / 2
    return records


def outcome_of(pipeline: PartitionPipeline, records: Sequence[PlainRecord]) -> tuple[Any, ...]:
    outcome = pipeline.process(records)
    return [(series, encode(event)) for series, event in outcome.events], outcome.dead_letters, outcome.touched


@settings(max_examples=60, deadline=None)
@given(records=histories(), cuts=st.sets(st.integers(1, 150), max_size=12))
def test_where_batches_are_cut_does_not_matter(records, cuts):
    whole, parts = PartitionPipeline(lively(), 0), PartitionPipeline(lively(), 0)
    expected = outcome_of(whole, records)
    events: list[Any] = []
    letters: list[Any] = []
    touched: set[str] = set()
    ends = sorted({cut for cut in cuts if cut < len(records)} | {len(records)})
    for begin, end in zip([0, *ends], ends, strict=False):
        part = outcome_of(parts, records[begin:end])
        events, letters, touched = events + part[0], letters + part[1], touched | part[2]
    assert (events, letters, touched) == expected
    for series in ALL_SERIES:
        assert parts.snapshot(series, len(records)) == whole.snapshot(series, len(records))


@settings(max_examples=60, deadline=None)
@given(records=histories(), restart=st.integers(1, 150), saved=st.sets(st.sampled_from(ALL_SERIES)))
def test_a_restart_changes_nothing(records, restart, saved):
    """Snapshots of the series that were touched and some others, then the records that these lack, then the rest."""
    restart = min(restart, len(records) - 1)
    whole = PartitionPipeline(lively(), 0)
    touched = saved | outcome_of(whole, records[:restart])[2]
    states = {series: whole.snapshot(series, restart) for series in sorted(touched)}
    control = Control(
        STATE_VERSION, restart, whole.unsaved.replay_from(restart), whole.store.watermark_ns, "m", "f", 0, 1,
        whole.store.clock_state(),
    )  # fmt: skip
    control = decode_control(encode_state(control))
    again = bring_up(lively(), 0, control, states.items())
    for _ in read_again(again, [records[control.replay_from : restart]], judge=True):
        pass
    assert again.open_incidents() == whole.open_incidents()
    assert outcome_of(again, records[restart:]) == outcome_of(whole, records[restart:])
    for series in ALL_SERIES:
        assert again.snapshot(series, len(records)) == whole.snapshot(series, len(records))


@settings(max_examples=40, deadline=None)
@given(records=histories(), restart=st.integers(0, 150))
def test_another_model_takes_over_what_is_open_and_goes_on_alike(records, restart):
    """As recovery and audit each do it: windows follow from records that are read again, or are carried over."""
    restart = min(restart, len(records) - 1)
    first = PartitionPipeline(lively(), 0)
    first.process(records[:restart])
    silence = SilencePolicy(7 * SECOND_NS, StandingPolicy(3.0, 12 * SECOND_NS))
    other = lively(freezes=FreezeLimits((6, inf)), silence=silence, frozen=StandingPolicy(2.0, 3 * SECOND_NS))
    carried = PartitionPipeline(other, 0)
    for series in list(first.store):
        carried.restore(series, first.state_of(series, restart))
    carried.set_clock(*first.clock())
    carried.go_live()
    states = {series: first.state_of(series, restart) for series in first.store}
    control = Control(
        STATE_VERSION, restart, restart, first.store.watermark_ns, "m", "f", 0, 1, first.store.clock_state()
    )  # fmt: skip
    recovered = bring_up(other, 0, control, states.items())
    for _ in read_again(recovered, [], judge=False):
        pass
    assert outcome_of(recovered, records[restart:]) == outcome_of(carried, records[restart:])


@settings(max_examples=40, deadline=None)
@given(records=histories(), size=st.sampled_from([1, 2]))
def test_which_series_are_in_memory_does_not_matter(records, size):
    with tempfile.TemporaryDirectory() as folder:
        free, bound = (
            PartitionPipeline(lively(residency=residency), 0) for residency in (None, Residency(size, Path(folder)))
        )
        for begin in range(0, len(records), 7):
            part = records[begin : begin + 7]
            assert outcome_of(bound, part) == outcome_of(free, part)
        for series in ALL_SERIES:
            assert bound.snapshot(series, len(records)) == free.snapshot(series, len(records))
        bound.store.close()


@settings(max_examples=60, deadline=None)
@given(records=histories())
def test_an_incident_opens_once_and_while_it_lasts_no_other_of_its_kind_does(records):
    pipeline = PartitionPipeline(lively(), 0)
    is_open: dict[tuple[str, str], tuple[str, str]] = {}
    for series, event in pipeline.process(records).events:
        key = (series, event.kind)
        if event.event == "opened":
            assert key not in is_open
        else:
            assert is_open[key][0] == event.incident_id
        if event.event == "closed":
            del is_open[key]
        else:
            is_open[key] = event.incident_id, event.severity
        assert event.started_at <= event.opened_at <= event.updated_at
    open_now = Counter((kind, severity) for (_, kind), (_, severity) in is_open.items())
    assert open_now == pipeline.open_incidents()
