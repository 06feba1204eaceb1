"""One device's wrong clock, and a restart in the middle of it: no other series' incident notices."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.events import encode
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import PlainRecord
from detector.restoring.pipeline import bring_up, read_again
from detector.state import STATE_VERSION, Control, decode_control, encode_state
from tests.worker.support import make_context, make_settings, record
from tests.worker.test_recovery import Nowhere

HEALTHY = [f"pump-{number}" for number in range(10)]
YEAR = 365 * 86_400


def pipeline(**spec: int) -> PartitionPipeline:
    context = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
    return PartitionPipeline(replace(context, spec=replace(context.spec, **spec)), 0)


def plain(offset: int, series: str, second: float, level: float) -> PlainRecord:
    timestamp, value = record(second, level)
    return PlainRecord("none.input", 0, offset, timestamp, series.encode(), value)


def test_an_open_incident_stays_open_beside_a_clock_a_year_ahead():
    found, offset, told = pipeline(), 0, []
    for second in range(300):
        for series in (*HEALTHY, "wrong"):
            ahead = YEAR if series == "wrong" and second >= 100 else 0
            level = 3.0 if series == "pump-3" and second >= 50 else 0.1
            outcome = found.process([plain(offset, series, second + ahead, level)])
            told += [(name, event.event) for name, event in outcome.events]
            offset += 1
    assert told == [("pump-3", "opened")]
    # The device itself has jumped: its first sample is refused, then it is as good as new.
    assert found.store.counts.forgotten == 1
    assert found.store.states() == {"warming_up": 0, "live": 11, "stale": 0}
    assert found.tracker.open_count() == 1


@settings(max_examples=150, deadline=None)
@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([1, 1, 1, 5, 20, 90]),
            st.sampled_from([0, 0, 0, 100, 1_000, 10_000]),
            st.sampled_from([0.1, 3.0]),
        ),
        min_size=2,
        max_size=80,
    ),
    restart=st.integers(1, 79),
    saved=st.sets(st.sampled_from("abc")),
)
def test_a_restart_in_the_middle_changes_nothing(plan, restart, saved):
    """Snapshots of some series as of the middle, of the others not at all, and the records that these lack."""
    rules = {"claims_alone": 3, "claims_shared": 2, "max_jump_ns": 2_000 * 10**9, "forget_after_ns": 500 * 10**9}
    second, records = 0, []
    for offset, (series, step, ahead, level) in enumerate(plan):
        second += step
        records.append(plain(offset, series, second + ahead, level))
    restart = min(restart, len(records) - 1)

    whole = pipeline(**rules)
    before = whole.process(records[:restart])
    touched = before.touched | saved
    states = {series: whole.snapshot(series, restart) for series in sorted(touched)}
    control = Control(
        STATE_VERSION, restart, whole.unsaved.replay_from(restart), whole.store.watermark_ns, "m", "f", 0, 1,
        whole.store.clock_state(),
    )  # fmt: skip
    control = decode_control(encode_state(control))

    again = bring_up(whole._context, 0, control, states.items())
    for _ in read_again(again, [records[control.replay_from : restart]], judge=True):
        pass
    assert again.store.clock_state() == whole.store.clock_state()
    after, expected = again.process(records[restart:]), whole.process(records[restart:])
    assert [encode(event) for _, event in after.events] == [encode(event) for _, event in expected.events]
    assert after.dead_letters == expected.dead_letters
    assert again.store.clock_state() == whole.store.clock_state()
    assert again.store.states() == whole.store.states()
