"""Keeping a partition's whole state on the epochs topic, piece by piece, for replay and audit to begin from.

Every so often a checkpoint is begun. Each commit then carries the states of some more series, within a budget, until
all that were known when it was begun have had their turn; series that a restart could not do without (they emitted an
event, or were forgotten) are added again. The last commit also carries the record that makes the checkpoint complete.
One that never gets that far, because the process died, is simply not used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from detector.kafka.committer import OutputRecord
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.state import (
    CHECKPOINT_VERSION,
    Checkpoint,
    CheckpointPart,
    Control,
    EpochKind,
    encode_checkpoint,
    encode_part,
    encode_state,
    epoch_key,
)

_PART_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    """Where checkpoints go and how often.

    Attributes:
        topic: The epochs topic.
        interval_ms: Wall time between the completion of one and the beginning of the next.
        bytes_per_commit: About so much goes with one commit.
    """

    topic: str
    interval_ms: int
    bytes_per_commit: int


@dataclass(slots=True)
class _UnderWay:
    begun_offset: int
    waiting: OrderedDict[str, None]  # a plain dict takes ever longer to find its first entry as more are taken out
    parts: int = 0


@dataclass(slots=True)
class CheckpointWriter:
    """Writes the checkpoints of one live partition.

    Attributes:
        policy: From the settings.
        stream: Name of the stream.
        partition: Of the input.
        completed_ms: Wall time of the last complete one, milliseconds since the epoch of Unix; 0 asks for one at once.
        now_ms: Wall clock. When a checkpoint is taken changes no outcome.
    """

    policy: CheckpointPolicy
    stream: str
    partition: InputPartition
    completed_ms: int
    now_ms: Callable[[], int]
    _under_way: _UnderWay | None = field(default=None, init=False)

    def outputs(self, pipeline: PartitionPipeline, touched: Iterable[str], control: Control) -> Iterator[OutputRecord]:
        """The next piece, if one is due; to be committed together with everything up to ``control.next_offset``.

        Args:
            pipeline: Has processed everything below that offset.
            touched: Series that emitted an event or were forgotten since the last call.
            control: That this commit writes to the state topic.
        """
        now = self._under_way
        if now is None:
            # A clock that was set back must not keep checkpoints away until it has caught up.
            if 0 <= self.now_ms() - self.completed_ms < self.policy.interval_ms or not len(pipeline.store):
                return
            now = self._under_way = _UnderWay(control.next_offset, OrderedDict.fromkeys(pipeline.store))
        else:
            now.waiting.update(dict.fromkeys(touched))
        written = 0
        part: list[tuple[str, bytes]] = []
        part_bytes = 0
        while now.waiting and written < self.policy.bytes_per_commit:
            series, _ = now.waiting.popitem(last=False)
            data = encode_state(pipeline.state_of(series, control.next_offset))
            if part and part_bytes + len(data) > _PART_BYTES:
                yield self._part(now, part)
                part, part_bytes = [], 0
            part.append((series, data))
            part_bytes += len(data)
            written += len(data)
        if part:
            yield self._part(now, part)
        if not now.waiting:
            yield self._complete(now, control)

    def _part(self, now: _UnderWay, series: list[tuple[str, bytes]]) -> OutputRecord:
        now.parts += 1
        return self._record("p", now, encode_part(CheckpointPart(CHECKPOINT_VERSION, now.begun_offset, series)))

    def _complete(self, now: _UnderWay, control: Control) -> OutputRecord:
        self._under_way = None
        self.completed_ms = self.now_ms()
        topic, number = self.partition
        # Whoever restores it reads again from where it was begun, not from where a restart would.
        fuzzy = msgspec.structs.replace(control, replay_from=now.begun_offset, checkpointed_ms=self.completed_ms)
        checkpoint = Checkpoint(CHECKPOINT_VERSION, self.stream, topic, number, now.begun_offset, now.parts, fuzzy)
        return self._record("k", now, encode_checkpoint(checkpoint))

    def _record(self, kind: EpochKind, now: _UnderWay, value: bytes) -> OutputRecord:
        number = self.partition.partition
        return OutputRecord(self.policy.topic, number, epoch_key(kind, self.stream, number, now.begun_offset), value)
