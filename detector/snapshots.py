"""What a commit says about state: snapshots of the series that are due, the control record, and a new epoch.

Rewriting every series that changed would cost more than the scoring. A series is due once it has been dirty for half of
``max_replay_records``: snapshots spread over the commits, and a restart never reads more than that many records
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from detector.kafka.committer import OutputRecord
from detector.pipeline import Outcome, PartitionPipeline, StreamContext
from detector.records.values import InputPartition
from detector.settings import StateSettings, TopicSettings
from detector.state import (
    STATE_VERSION,
    Control,
    Epoch,
    control_key,
    encode_epoch,
    encode_state,
    epoch_key,
    series_key,
)

_DUE_SHARE = 0.5
_SNAPSHOTS_PER_LOOK = 64


@dataclass(slots=True)
class LivePartition:
    """A partition that is being processed.

    Attributes:
        next_offset: Of the first record that was not processed.
        committed: As of the last commit.
        epoch_from: Offset from which the present model and settings hold.
        epoch: To be written with the next commit, if it is new.
        outputs: Waiting for a commit.
        touched: Series whose snapshot goes with it, whatever their turn.
        outcomes: Counted once they are committed.
    """

    context: StreamContext
    pipeline: PartitionPipeline
    next_offset: int
    committed: int
    epoch_from: int
    epoch: Epoch | None
    outputs: list[OutputRecord] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)


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
        return OutputRecord(topics.state, partition.partition, series_key(name, series), data)

    for series in sorted(live.touched):
        yield snapshot(series)
    live.touched = set()
    while written < state.snapshot_bytes_per_commit:
        due = live.pipeline.due(live.next_offset, due_after, _SNAPSHOTS_PER_LOOK)
        if not due:
            break
        for series in due:
            yield snapshot(series)
    # Past the budget only what the promise of max_replay_records asks for.
    while overdue := live.pipeline.due(live.next_offset, state.max_replay_records, _SNAPSHOTS_PER_LOOK):
        for series in overdue:
            yield snapshot(series)
    replay_from = live.pipeline.replay_from(live.next_offset)
    for series in live.pipeline.expired_markers(replay_from):
        yield OutputRecord(topics.state, partition.partition, series_key(name, series), None)
    identity = live.context.identity
    control = Control(
        STATE_VERSION,
        live.next_offset,
        replay_from,
        live.pipeline.store.watermark_ns,
        identity.model,
        identity.fingerprint,
        live.epoch_from,
        partitions,
    )
    yield OutputRecord(topics.state, partition.partition, control_key(name), encode_state(control))
    if live.epoch is not None:
        yield OutputRecord(
            topics.epochs, partition.partition, epoch_key(name, partition.partition), encode_epoch(live.epoch)
        )
        live.epoch = None
