"""Bringing a partition back to where its last commit left it, in small steps between polls."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import structlog

from detector.errors import StateMismatchError
from detector.failpoints import Announce, silent
from detector.kafka.history import History
from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.restoring.pipeline import bring_up_in_steps, read_again
from detector.restoring.progress import Progress
from detector.restoring.staging import Staging
from detector.restoring.state_reading import StoredState, read_state
from detector.series.snapshot import OtherShapeError, SnapshotError, different_shapes
from detector.state import EPOCH_VERSION, Control, DamagedStateError, Epoch, UnreadableStateError, Windows

_log = structlog.get_logger(__name__)
# Markers of a transaction reach its partitions one after the other: the offsets may be stable a moment before the
# state is.
_MARKER_PATIENCE_SECONDS = 30.0
_MARKER_PAUSE_SECONDS = 0.1
_OFFSETS_PATIENCE_SECONDS = 2.0


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
        committed: The group's offset; None when it has none yet, so that one is due.
        epoch_from: Offset from which the present model and settings hold.
        epoch: To be written, when something that shapes outcomes is not as it was before.
        began_partitions: Of the input topic when the group first read this partition.
        checkpointed_ms: Wall time of the last complete checkpoint; 0 when there is none.
        series: How many came back.
        records: How many were read again.
        partitions_changed: Whether the input has another number of partitions than when the state was written.
        judged_from: First record that the present model has judged.
        memory_from: First record from which what it carries along each series has been carried on.
        obsolete: Series whose snapshots must not be found by another restart.
    """

    pipeline: PartitionPipeline
    next_offset: int
    committed: int | None
    epoch_from: int
    epoch: Epoch | None
    began_partitions: int
    checkpointed_ms: int = 0
    series: int = 0
    records: int = 0
    partitions_changed: bool = False
    judged_from: int = 0
    memory_from: int = 0
    obsolete: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Choices that the settings make."""

    state_topic: str
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    on_lost_input: Literal["stop", "continue"] = "stop"
    on_lost_state: Literal["stop", "rebuild"] = "stop"
    on_new_partitions: Literal["stop", "continue"] = "stop"
    max_replay_records: int = 20_000
    exactly_once: bool = True


@dataclass(frozen=True, slots=True)
class _Place:
    """A partition that is being restored, and what the cluster says about it.

    Attributes:
        committed: The group's offset, or None.
        first: Oldest retained offset.
        end: Last stable offset.
    """

    partition: InputPartition
    context: StreamContext
    committed: int | None
    first: int
    end: int
    labels: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        labels = {"topic": self.partition.topic, "partition": self.partition.partition}
        object.__setattr__(self, "labels", labels)

    def __str__(self) -> str:
        return f"{self.partition.topic}/{self.partition.partition}"


Steps = Iterator[Restored | Progress]


class Recovery:
    """Restores partitions one at a time.

    Args:
        history: Reads the state topic and the input; used by nobody else meanwhile.
        offsets: The live source.
        policy: From the settings.
        partition_counts: Number of partitions by input topic, now.
        monotonic: Clock for waiting.
        sleep: Waits; replaced in tests.
        announce: Told of each step (`detector.failpoints`).
        now: Wall clock, seconds since the epoch of Unix; it is noted down and decides nothing.
    """

    def __init__(
        self,
        history: History,
        offsets: Offsets,
        policy: RecoveryPolicy,
        partition_counts: Mapping[str, int],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        announce: Announce = silent,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._offsets = offsets
        self._policy = policy
        self._partition_counts = partition_counts
        self._monotonic = monotonic
        self._sleep = sleep
        self._announce = announce
        self._now = now

    def restore(self, partition: InputPartition, context: StreamContext) -> Steps:
        """Restore one partition.

        Yields:
            Progress, often, so that the caller can poll; at last the result.

        Raises:
            StateMismatchError: state, offsets and input contradict each other.
            KafkaError: the cluster did not answer; the restoration can be started again.
        """
        place = _Place(partition, context, self._offsets.committed(partition), *self._offsets.range(partition))
        while True:
            stored, unusable = yield from self._load(place)
            reached = None if unusable is not None or stored.control is None else stored.control.next_offset
            place = yield from self._ask_again(place, reached)
            if reached is None or place.committed is None or place.committed <= reached:
                break  # else somebody went on meanwhile, and so did the state
        self._announce("state-loaded")
        if unusable is not None:
            yield from self._rebuild(place, stored, unusable)
        elif stored.control is None:
            yield from self._begin(place)
        else:
            try:
                yield from self._resume(place, stored, stored.control)
            except (UnreadableStateError, SnapshotError) as error:
                yield from self._rebuild(place, stored, str(error))
            except DamagedStateError as error:
                yield from self._rebuild(place, stored, self._accept_lost_state(str(error)))

    # -- reading the state topic
    # -----------------------------------------------------------------------------------------

    def _load(self, place: _Place) -> Generator[Progress, None, tuple[StoredState, str | None]]:
        """The stored state, and why it is of no use, if it is not."""
        topic, committed = self._policy.state_topic, place.committed
        give_up = self._monotonic() + _MARKER_PATIENCE_SECONDS
        while True:
            stored = StoredState(raw=_staging(place.context))
            try:
                yield from read_state(self._history, topic, place.partition.partition, place.context.name, stored)
            except UnreadableStateError as error:
                return stored, str(error)
            except StateMismatchError as error:
                return stored, self._accept_lost_state(str(error))
            reached = -1 if stored.control is None else stored.control.next_offset
            if committed is None or reached >= committed:
                return stored, None
            if self._monotonic() > give_up:
                found = "no state for it" if stored.control is None else f"state up to {reached} only"
                return stored, self._accept_lost_state(
                    f"the group has committed offset {committed} of {place}, but topic {topic} holds {found}: it was "
                    "deleted, or belongs to another worker.group"
                )
            self._sleep(_MARKER_PAUSE_SECONDS)
            yield Progress(0, 1)

    def _ask_again(self, place: _Place, reached: int | None) -> Generator[Progress, None, _Place]:
        """The place with the group's offset as it is now, if the one that was read first is behind the state.

        Offsets and state are committed together, but asked for one after the other: a commit may have come in between,
        and a coordinator may answer for a moment as if a commit that it has acknowledged had not been there.
        """
        give_up = self._monotonic() + _OFFSETS_PATIENCE_SECONDS
        while (
            self._policy.exactly_once
            and reached is not None
            and place.committed is not None
            and reached > place.committed
            and self._monotonic() < give_up
        ):
            self._sleep(_MARKER_PAUSE_SECONDS)
            yield Progress(0, 1)
            place = replace(place, committed=self._offsets.committed(place.partition))
        return place

    def _accept_lost_state(self, what: str) -> str:
        if self._policy.on_lost_state == "rebuild":
            return what
        raise StateMismatchError(
            f"{what}. Restore the topic; or start once with RECONSTREAM_WORKER__ON_LOST_STATE=rebuild "
            "(worker.on_lost_state), which makes windows and incidents anew from the last "
            f"{self._policy.max_replay_records} records of each partition and loses incidents that opened before; or "
            "set a new worker.group and topics.state to begin anew"
        )

    # -- three ways to a live partition
    # ----------------------------------------------------------------------------------

    def _begin(self, place: _Place) -> Steps:
        """Nobody has read the partition for this group before."""
        start = place.first
        if self._policy.auto_offset_reset == "latest" and not (yield from self._was_added(place)):
            start = place.end
        pipeline = PartitionPipeline(place.context, place.partition.partition)
        epoch = self._epoch(place, pipeline, start, "empty", start, start)
        self._announce("re-read")
        yield Restored(pipeline, start, None, start, epoch, self._count(place), judged_from=start, memory_from=start)

    def _resume(self, place: _Place, stored: StoredState, control: Control) -> Steps:
        """From snapshots, and the records that they lack."""
        self._check_partitions(place, control)
        start = self._resume_at(place, control)
        lost = start != control.next_offset
        identity = place.context.identity
        # What the model carries along goes on under other settings, and under another release if that keeps the same.
        remembers = (control.model, control.memory) == (identity.model, place.context.memory.tag)
        same = remembers and control.fingerprint == identity.fingerprint
        memory_from = control.memory_from if remembers else start
        windows, pipeline = yield from self._bring_up(place, stored, control, memory_from)
        if windows == "rebuilt":
            memory_from = start
        again_from = control.replay_from
        if windows == "rebuilt":
            again_from = max(place.first, start - self._policy.max_replay_records)
        if again_from < place.first:
            self._lost_input(
                place, f"the state needs records from offset {again_from} on, the oldest left is {place.first}"
            )
            again_from, lost = place.first, True
        # What another model judged, or nobody with these windows, is not judged again: neither now nor at the next
        # restart, which may come before every snapshot has been written anew.
        judged_from = control.judged_from if same and windows == "carried" else start
        records = yield from self._read_again(place, pipeline, again_from, start, judged_from, memory_from)
        epoch = None
        if lost or not same or windows == "rebuilt":
            # Another model before the first sample takes nothing over: replay and audit can begin here.
            held: Windows = "empty" if pipeline.store.watermark_ns is None else windows
            windows_from = again_from if held == "rebuilt" else start
            epoch = self._epoch(place, pipeline, start, held, windows_from, memory_from)
        yield Restored(
            pipeline,
            start,
            place.committed,
            control.epoch_from if epoch is None else start,
            epoch,
            control.began_partitions or control.partitions,
            control.checkpointed_ms if epoch is None else 0,  # replay can then begin soon after the epoch does
            len(pipeline.store),
            records,
            control.partitions != self._count(place),
            judged_from,
            memory_from,
        )

    def _bring_up(
        self, place: _Place, stored: StoredState, control: Control, memory_from: int
    ) -> Generator[Progress, None, tuple[Windows, PartitionPipeline]]:
        """A pipeline from the snapshots, and whether their windows are of use."""
        context, number = place.context, place.partition.partition
        try:
            # Said of the partition too: perhaps not one of its series had its turn for a snapshot yet.
            if control.shape not in (None, context.spec.shape):
                raise OtherShapeError(different_shapes(control.shape, context.spec.shape))
            pipeline = yield from bring_up_in_steps(
                context, number, control, stored.snapshots(), memory_from=memory_from
            )  # fmt: skip
        except SnapshotError as error:
            if isinstance(error, OtherShapeError):  # as expected where a model took another's place
                _log.info("the model's windows are of another shape; they are built anew from the input",
                          **place.labels, reason=str(error))  # fmt: skip
            else:
                _log.warning("snapshots are of no use; windows are rebuilt from the input",
                             **place.labels, reason=str(error))  # fmt: skip
            pipeline = yield from bring_up_in_steps(context, number, control, stored.snapshots(), windows=False)
            return "rebuilt", pipeline
        return "carried", pipeline

    def _rebuild(self, place: _Place, stored: StoredState, why: str) -> Steps:
        """From the input alone, as if the partition's last records were new; what they lead to is not told again."""
        start = place.committed
        if start is None:
            start = place.end if stored.control is None else stored.control.next_offset
        start = self._within(place, start)
        again_from = max(place.first, start - self._policy.max_replay_records)
        _log.error(
            "state is rebuilt from the input; incidents that opened before are lost",
            **place.labels,
            reason=why,
            from_offset=again_from,
            next_offset=start,
        )
        pipeline = PartitionPipeline(place.context, place.partition.partition)
        records = yield from self._read_again(place, pipeline, again_from, start, again_from, again_from)
        epoch = self._epoch(place, pipeline, start, "rebuilt", again_from, again_from)
        yield Restored(
            pipeline, start, place.committed, start, epoch, self._count(place), 0, len(pipeline.store), records,
            judged_from=again_from, memory_from=again_from, obsolete=[series for series, _ in stored.raw.items()],
        )  # fmt: skip

    def _read_again(
        self, place: _Place, pipeline: PartitionPipeline, start: int, stop: int, judged_from: int, memory_from: int
    ) -> Generator[Progress, None, int]:
        done = 0
        batches = (
            None if chunk is None else chunk[1] for chunk in self._history.read({place.partition: (start, stop)})
        )
        for records in read_again(pipeline, batches, judge=True, judged_from=judged_from, memory_from=memory_from):
            done += records or 0
            yield Progress(done, stop - start)
        self._announce("re-read")
        return done

    # -- where to go on
    # --------------------------------------------------------------------------------------------------

    def _resume_at(self, place: _Place, control: Control) -> int:
        start, committed = control.next_offset, place.committed
        # Without a committed offset the group expired, or its offsets were deleted; the state knows better than any
        # reset policy.
        if committed is not None and start > committed and self._policy.exactly_once:
            raise StateMismatchError(
                f"the state of {place} is at offset {start}, ahead of the group's {committed}: the group's offsets "
                "were moved back by hand, or a transaction was torn. To read history again use 'detector replay'; to "
                "begin anew set a new worker.group and topics.state"
            )
        return self._within(place, start)

    def _within(self, place: _Place, start: int) -> int:
        if start > place.end:
            raise StateMismatchError(
                f"the group stands at offset {start} of {place}, beyond its end {place.end}: the topic was deleted and "
                "created again, or lost records. Set a new worker.group and topics.state to begin anew"
            )
        if start < place.first:
            self._lost_input(
                place, f"records {start} to {place.first - 1} were deleted by retention before they were read"
            )
            return place.first
        return start

    def _lost_input(self, place: _Place, what: str) -> None:
        if self._policy.on_lost_input == "stop":
            raise StateMismatchError(
                f"{place}: {what}. To go on without them, start once with RECONSTREAM_WORKER__ON_LOST_INPUT=continue, "
                "or set worker.on_lost_input to 'continue'; the windows they belong to have a gap then"
            )
        _log.error("input was lost", **place.labels, detail=what)

    def _check_partitions(self, place: _Place, control: Control) -> None:
        now = self._count(place)
        if now == control.partitions:
            return
        if self._policy.on_new_partitions == "stop":
            raise StateMismatchError(
                f"topic {place.partition.topic} has {now} partitions, and had {control.partitions} when the state of "
                f"partition {place.partition.partition} was written: keys have moved, so a series that moved begins "
                "anew where it lands, and what it left behind is forgotten with time. To go on that way start once "
                "with RECONSTREAM_WORKER__ON_NEW_PARTITIONS=continue (worker.on_new_partitions); to keep each series "
                "whole write the history into a correctly keyed topic with 'detector repartition', and read that one "
                "with a new worker.group and topics.state"
            )
        _log.warning(
            "the input has another number of partitions", **place.labels, partitions=now, before=control.partitions
        )

    def _was_added(self, place: _Place) -> Generator[Progress, None, bool]:
        """Whether the partition did not exist yet when the group began; its records then are all new."""
        beside = StoredState(raw=_staging(place.context))
        yield from read_state(self._history, self._policy.state_topic, 0, place.context.name, beside)
        return beside.control is not None and beside.control.began_partitions <= place.partition.partition

    def _count(self, place: _Place) -> int:
        return self._partition_counts[place.partition.topic]

    def _epoch(
        self,
        place: _Place,
        pipeline: PartitionPipeline,
        start: int,
        windows: Windows,
        windows_from: int,
        memory_from: int,
    ) -> Epoch:
        identity = place.context.identity
        return Epoch(
            version=EPOCH_VERSION,
            stream=place.context.name,
            topic=place.partition.topic,
            partition=place.partition.partition,
            from_offset=start,
            model=identity.model,
            model_version=identity.model_version,
            fingerprint=identity.fingerprint,
            settings=dict(place.context.shaping),
            windows=windows,
            windows_from=windows_from,
            under_way=pipeline.tracker.under_way(),
            memory_from=memory_from,
            written_ms=int(self._now() * 1000),
        )


def _staging(context: StreamContext) -> Staging:
    return Staging(None if context.residency is None else context.residency.directory)
