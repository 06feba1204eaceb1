"""What a commit says about state: snapshots of the series that are due, the control record, epochs and checkpoints.

Rewriting every series that changed would cost more than the scoring. A series is due once it has been dirty for half of
``max_replay_records``: snapshots spread over the commits, and a restart never reads more than that many records
again.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.kafka.committer import OutputRecord
from detector.records.values import InputPartition
from detector.settings import StateSettings, TopicSettings
from detector.state import (
    STATE_VERSION,
    Control,
    control_key,
    encode_epoch,
    encode_state,
    epoch_key,
    series_key,
)
from detector.worker.live_partition import LivePartition

_DUE_SHARE = 0.5
_SNAPSHOTS_PER_LOOK = 64
_TOMBSTONES_PER_COMMIT = 10_000


def state_outputs(
    partition: InputPartition, live: LivePartition, topics: TopicSettings, state: StateSettings, partitions: int
) -> Iterator[OutputRecord]:
    """Records for the state and epochs topics, to be committed with everything else up to ``live.next_offset``.

    Marks what it writes as clean, so each call's records must be committed or the partition be restored.

    Args:
        partition: Of the input.
        live: What is known of it.
        topics: Names of the topics.
        state: Budgets.
        partitions: Of the input topic.
    """
    name = live.context.name
    due_after = int(state.max_replay_records * _DUE_SHARE)
    written = 0

    def snapshot(series: str) -> OutputRecord:
        data = encode_state(live.pipeline.snapshot(series, live.next_offset))
        nonlocal written
        written += len(data)
        live.obsolete.discard(series)
        return OutputRecord(topics.state, partition.partition, series_key(name, series), data)

    touched = sorted(live.touched)
    live.touched = set()
    for series in touched:
        yield snapshot(series)
    while written < state.snapshot_bytes_per_commit:
        due = live.pipeline.unsaved.due(live.next_offset, due_after, _SNAPSHOTS_PER_LOOK)
        if not due:
            break
        for series in due:
            yield snapshot(series)
    # Past the budget only what the promise of max_replay_records asks for.
    while overdue := live.pipeline.unsaved.due(live.next_offset, state.max_replay_records, _SNAPSHOTS_PER_LOOK):
        for series in overdue:
            yield snapshot(series)
    replay_from = live.pipeline.unsaved.replay_from(live.next_offset)
    for series in live.pipeline.expired_markers(replay_from):
        yield OutputRecord(topics.state, partition.partition, series_key(name, series), None)
    for _ in range(min(len(live.obsolete), _TOMBSTONES_PER_COMMIT)):
        yield OutputRecord(topics.state, partition.partition, series_key(name, live.obsolete.pop()), None)
    if live.epoch is not None:
        epoch, live.epoch = live.epoch, None
        key = epoch_key("e", name, partition.partition, epoch.from_offset)
        yield OutputRecord(topics.epochs, partition.partition, key, encode_epoch(epoch))
    identity = live.context.identity
    watermark_ns, clock = live.pipeline.clock()
    control = Control(
        STATE_VERSION, live.next_offset, replay_from, watermark_ns, identity.model, identity.fingerprint,
        live.epoch_from, partitions, clock, live.began_partitions, live.checkpoint.completed_ms,
        live.judged_from, live.context.memory.tag, live.memory_from, live.context.spec.shape,
    )  # fmt: skip
    yield from live.checkpoint.outputs(live.pipeline, touched, control)
    if live.checkpoint.completed_ms != control.checkpointed_ms:
        control = msgspec.structs.replace(control, checkpointed_ms=live.checkpoint.completed_ms)
    yield OutputRecord(topics.state, partition.partition, control_key(name), encode_state(control))
