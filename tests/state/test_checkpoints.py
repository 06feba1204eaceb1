"""A checkpoint that was written over many commits gives the state that the partition had when it was complete."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, PlainRecord
from detector.restoring.pipeline import bring_up, read_again
from detector.state import STATE_VERSION, Control, decode_checkpoint, decode_part, decode_series, parse_epoch_key
from detector.worker.checkpointing import CheckpointPolicy, CheckpointWriter
from tests.worker.support import Nowhere, make_context, make_settings, record

PARTITION = InputPartition("none.input", 0)
CONTEXT = make_context(make_settings(Nowhere("localhost:1", "none")), "cluster")
HOUR_MS = 3_600_000


def one_of(series: int, second: int, level: float, offset: int) -> PlainRecord:
    timestamp, value = record(second, level)
    return PlainRecord(PARTITION.topic, 0, offset, timestamp, f"pump-{series}".encode(), value)


# Seconds mostly go on by one a step; now and then far enough that silent series are forgotten (600 s) or that a jump
# has to be confirmed (an hour).
steps = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([1, 1, 1, 1, 2, 400, 700, 4000]), st.sampled_from([0.1, 3.0, 6.0])),
    min_size=1,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps, batch=st.integers(1, 9), budget=st.integers(1, 900))
# A series that was written already is forgotten before the checkpoint is complete.
@example(steps=[(0, 1, 0.1), (1, 1, 0.1), (2, 1, 0.1), (1, 700, 0.1), *[(1, 1, 0.1)] * 20], batch=3, budget=1)
# One that was never accepted is known by nothing but a jump that waits for confirmation.
@example(steps=[*[(0, 1, 0.1)] * 3, (1, 4000, 0.1), *[(0, 1, 0.1)] * 20], batch=3, budget=1)
def test_restored_is_as_if_never_stopped(steps: list[tuple[int, int, float]], batch: int, budget: int) -> None:
    second, records = 0, []
    for offset, (series, ahead, level) in enumerate(steps):
        second += ahead
        records.append(one_of(series, second, level, offset))
    pipeline = PartitionPipeline(CONTEXT, 0)
    writer = CheckpointWriter(CheckpointPolicy("epochs", HOUR_MS, budget), "pumps", PARTITION, 0, lambda: HOUR_MS)
    outputs = []
    complete = 0
    for start in range(0, len(records), batch):
        outcome = pipeline.process(records[start : start + batch])
        complete = min(start + batch, len(records))
        control = Control(STATE_VERSION, complete, 0, pipeline.clock()[0], "m", "f", 0, 1, pipeline.clock()[1])
        outputs += list(writer.outputs(pipeline, sorted(outcome.touched), control))
        if writer.completed_ms:
            break
    if not writer.completed_ms:
        return  # the records ended before the checkpoint was complete: nobody can use it
    *parts, last = outputs
    kinds = [parse_epoch_key(output.key or b"").kind for output in outputs]  # type: ignore[union-attr]
    assert kinds == ["p"] * len(parts) + ["k"]
    checkpoint = decode_checkpoint(last.value or b"")
    assert (checkpoint.parts, checkpoint.control.next_offset) == (len(parts), complete)
    found = {series: decode_series(data) for part in parts for series, data in decode_part(part.value or b"").series}
    restored = bring_up(CONTEXT, 0, checkpoint.control, found.items())
    again = records[checkpoint.begun_offset : complete]
    assert sum(count or 0 for count in read_again(restored, [again], judge=True)) == len(again)

    assert sorted(restored.store) == sorted(pipeline.store)
    assert restored.clock() == pipeline.clock()
    for series in pipeline.store:
        assert restored.state_of(series, complete) == pipeline.state_of(series, complete)
    rest = records[complete:]
    assert restored.process(rest).events == pipeline.process(rest).events


def test_a_checkpoint_is_due_after_its_interval_whatever_the_clock_does() -> None:
    pipeline = PartitionPipeline(CONTEXT, 0)
    now = HOUR_MS
    writer = CheckpointWriter(CheckpointPolicy("epochs", HOUR_MS, 10**6), "pumps", PARTITION, 1, lambda: now)

    def written(offset: int) -> int:
        control = Control(STATE_VERSION, offset, 0, None, "m", "f", 0, 1)
        return len(list(writer.outputs(pipeline, (), control)))

    assert written(0) == 0  # nothing is known yet
    pipeline.process([one_of(0, 1, 0.1, 0)])
    assert written(1) == 0  # an hour less a millisecond after the last
    now += 1
    assert written(1) == 2  # a part, and that it is complete
    assert written(1) == 0
    now -= 10 * HOUR_MS  # the clock is set back
    assert written(1) == 2
