"""Bringing a partition back to where its last commit left it, in small steps between polls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from detector.errors import StateMismatchError
from detector.failpoints import Announce, silent
from detector.kafka.history import History
from detector.pipeline import PartitionPipeline, StreamContext
from detector.records.values import InputPartition
from detector.series.snapshot import SnapshotError
from detector.state import Control, SeriesState, decode_control, decode_series, parse_key

_log = structlog.get_logger(__name__)
# Markers of a transaction reach its partitions one after the other: the offsets may be stable a moment before the
# state is.
_MARKER_PATIENCE_SECONDS = 30.0
_MARKER_PAUSE_SECONDS = 0.1


class Offsets(Protocol):
    """What recovery asks of the live source."""

    def committed(self, partition: InputPartition) -> int | None:
        """The group's stable committed offset."""

    def range(self, partition: InputPartition) -> tuple[int, int]:
        """First retained offset and end of a partition."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition that is ready to go live.

    Attributes:
        next_offset: Of the first record to process.
        epoch_from: Offset from which the present model and settings hold.
        new_epoch: Whether they differ from those before, so that an epoch record is due.
        records: How many were read again.
    """

    pipeline: PartitionPipeline
    next_offset: int
    epoch_from: int
    new_epoch: bool
    series: int
    records: int


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Choices that the settings make."""

    state_topic: str
    auto_offset_reset: Literal["earliest", "latest"]
    on_lost_input: Literal["stop", "continue"]
    max_replay_records: int
    exactly_once: bool


class Recovery:
    """Restores partitions one at a time.

    Args:
        history: Reads the state topic and the input; used by nobody else meanwhile.
        offsets: The live source.
        policy: From the settings.
        monotonic: Clock for waiting.
        sleep: Waits; replaced in tests.
        announce: Told of each step (`detector.failpoints`).
    """

    def __init__(
        self,
        history: History,
        offsets: Offsets,
        policy: RecoveryPolicy,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        announce: Announce = silent,
    ) -> None:
        self._history = history
        self._offsets = offsets
        self._policy = policy
        self._monotonic = monotonic
        self._sleep = sleep
        self._announce = announce

    def restore(self, partition: InputPartition, context: StreamContext) -> Iterator[Restored | None]:
        """Restore one partition.

        Yields:
            None, often, so that the caller can poll; at last the result.

        Raises:
            StateMismatchError: state, offsets and input contradict each other.
            KafkaError: the cluster did not answer; the restoration can be started again.
        """
        committed = self._offsets.committed(partition)
        first, end = self._offsets.range(partition)
        control: Control | None = None
        snapshots: dict[str, SeriesState] = {}
        for step in self._load(partition, context.name, committed):
            if step is None:
                yield None
            else:
                control, snapshots = step
        self._announce("state-loaded")
        start = self._start(partition, committed, control, first, end)
        pipeline = PartitionPipeline(context, partition.partition)
        fingerprint = context.identity.fingerprint
        same_model = (
            control is not None and control.model == context.identity.model and control.fingerprint == fingerprint
        )
        windows_fit = self._restore_series(pipeline, snapshots, partition)
        if control is None:
            self._announce("re-read")
            yield Restored(pipeline, start, start, True, 0, 0)
            return
        pipeline.store.watermark_ns = control.watermark_ns
        again_from = control.replay_from if windows_fit else max(first, start - self._policy.max_replay_records)
        if again_from < first:
            self._lost(partition, f"the state needs records from offset {again_from} on, the oldest left is {first}")
            again_from = first
        count = 0
        for chunk in self._history.read({partition: (again_from, start)}):
            if chunk is not None:
                records = chunk[1]
                count += len(records)
                if same_model and windows_fit:
                    pipeline.process(records)  # what comes out was committed already
                else:
                    # Another model would judge them otherwise than the one whose events are out.
                    pipeline.rebuild(records)
            yield None
        pipeline.go_live()
        self._announce("re-read")
        yield Restored(
            pipeline, start, control.epoch_from if same_model else start, not same_model, len(snapshots), count
        )

    def _load(
        self, partition: InputPartition, stream: str, committed: int | None
    ) -> Iterator[tuple[Control | None, dict[str, SeriesState]] | None]:
        give_up = self._monotonic() + _MARKER_PATIENCE_SECONDS
        while True:
            raw: dict[bytes, bytes] = {}
            for chunk in self._read_state(partition):
                if chunk is not None:
                    raw.update(chunk)
                yield None
            control, snapshots = _decode(raw, stream)
            reached = -1 if control is None else control.next_offset
            if committed is None or reached >= committed:
                yield control, snapshots
                return
            if self._monotonic() > give_up:
                raise StateMismatchError(
                    f"the group has committed offset {committed} of {partition.topic}/{partition.partition}, but topic "
                    f"{self._policy.state_topic} holds "
                    + ("no state for it" if control is None else f"state up to {reached} only")
                    + ": it was deleted, or belongs to another worker.group. Restore the topic, or set a new "
                    "worker.group and "
                    "topics.state to begin anew"
                )
            self._sleep(_MARKER_PAUSE_SECONDS)
            yield None

    def _read_state(self, partition: InputPartition) -> Iterator[Mapping[bytes, bytes] | None]:
        state = InputPartition(self._policy.state_topic, partition.partition)
        first = self._history.first_offsets([state])[state]
        end = self._history.end_offsets([state])[state]
        for chunk in self._history.read({state: (first, end)}):
            yield None if chunk is None else {record.key or b"": record.value or b"" for record in chunk[1]}

    def _start(
        self, partition: InputPartition, committed: int | None, control: Control | None, first: int, end: int
    ) -> int:
        if control is None:
            start = (
                committed if committed is not None else first if self._policy.auto_offset_reset == "earliest" else end
            )
        elif committed is None:
            # The group expired, or its offsets were deleted; the state knows better than any reset policy.
            start = control.next_offset
        elif control.next_offset > committed and self._policy.exactly_once:
            raise StateMismatchError(
                f"the state of {partition.topic}/{partition.partition} is at offset {control.next_offset}, "
                "ahead of the group's "
                f"{committed}: the group's offsets were moved back by hand, or a transaction was torn. To read "
                "history again use "
                "'detector replay'; to begin anew set a new worker.group and topics.state"
            )
        else:
            start = max(committed, control.next_offset)
        if start > end:
            raise StateMismatchError(
                f"the group stands at offset {start} of {partition.topic}/{partition.partition}, beyond its end "
                f"{end}: the topic was "
                "deleted and created again, or lost records. Set a new worker.group and topics.state to begin anew"
            )
        if start < first:
            self._lost(partition, f"records {start} to {first - 1} were deleted by retention before they were read")
            return first
        return start

    def _lost(self, partition: InputPartition, what: str) -> None:
        message = f"{partition.topic}/{partition.partition}: {what}"
        if self._policy.on_lost_input == "stop":
            raise StateMismatchError(
                f"{message}. To go on without them, set worker.on_lost_input to 'continue'; the windows they belong to "
                "have a gap then"
            )
        _log.error("input was lost", topic=partition.topic, partition=partition.partition, detail=what)

    def _restore_series(
        self, pipeline: PartitionPipeline, snapshots: Mapping[str, SeriesState], partition: InputPartition
    ) -> bool:
        try:
            for series, state in snapshots.items():
                pipeline.restore(series, state)
        except SnapshotError as error:
            _log.warning(
                "windows are rebuilt from the input",
                topic=partition.topic,
                partition=partition.partition,
                reason=str(error),
            )
        else:
            return True
        pipeline.discard_windows()
        try:
            for series, state in snapshots.items():
                pipeline.restore(series, state, windows=False)
        except SnapshotError as error:
            raise StateMismatchError(
                f"the snapshots of {partition.topic}/{partition.partition} on topic {self._policy.state_topic} "
                "cannot be read: "
                f"{error}. Restore the topic, or set a new worker.group and topics.state to begin anew"
            ) from error
        return False


def _decode(raw: Mapping[bytes, bytes], stream: str) -> tuple[Control | None, dict[str, SeriesState]]:
    control: Control | None = None
    snapshots: dict[str, SeriesState] = {}
    for key, value in raw.items():
        owner, series = parse_key(key)
        if owner != stream or not value:  # an empty value is a tombstone
            continue
        if series is None:
            control = decode_control(value)
        else:
            snapshots[series] = decode_series(value)
    return control, snapshots
