"""Three ways to a live partition: to begin, to resume from what is stored, or to rebuild it from the input."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping

import structlog

from detector.failpoints import Announce, silent
from detector.kafka.history import History
from detector.pipeline.context import StreamContext
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.restoring.pipeline import bring_up_in_steps, read_again
from detector.restoring.progress import Progress
from detector.restoring.state_reading import StoredState
from detector.series.snapshot import OtherShapeError, SnapshotError, different_shapes
from detector.state import EPOCH_VERSION, Control, DamagedStateError, Epoch, UnreadableStateError, Windows
from detector.worker.recovery.refusals import Refusals
from detector.worker.recovery.stored import Offsets, StoredStates
from detector.worker.recovery.values import Place, RecoveryPolicy, Restored, Steps

_log = structlog.get_logger(__name__)


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
        self._policy = policy
        self._partition_counts = partition_counts
        self._refusals = Refusals(policy)
        self._stored = StoredStates(history, offsets, policy, self._refusals, monotonic, sleep)
        self._announce = announce
        self._now = now

    def restore(self, partition: InputPartition, context: StreamContext) -> Steps:
        """Restore one partition.

        Yields:
            Progress, often, so that the caller can poll; at last the result.

        Raises:
            StateMismatchError: state, offsets and input contradict each other.
            KafkaError, KafkaUnavailableError: the cluster did not answer; the restoration can be started again.
        """
        found = yield from self._stored.find(partition, context)
        place, stored, unusable = found.place, found.stored, found.unusable
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
                yield from self._rebuild(place, stored, self._refusals.lost_state(str(error)))

    def _begin(self, place: Place) -> Steps:
        """Nobody has read the partition for this group before."""
        start = place.first
        if self._policy.auto_offset_reset == "latest" and not (yield from self._stored.was_added(place)):
            start = place.end
        pipeline = PartitionPipeline(place.context, place.partition.partition)
        epoch = self._epoch(place, pipeline, start, "empty", start, start)
        self._announce("re-read")
        yield Restored(
            pipeline=pipeline,
            next_offset=start,
            committed=None,
            epoch_from=start,
            epoch=epoch,
            began_partitions=self._count(place),
            judged_from=start,
            memory_from=start,
        )

    def _resume(self, place: Place, stored: StoredState, control: Control) -> Steps:
        """From snapshots, and the records that they lack."""
        self._refusals.other_partitions(place, control, self._count(place))
        start = self._refusals.resumed_at(place, control)
        lost = start != control.next_offset
        identity = place.context.identity
        # What the model carries along goes on under other settings, and under another release if that keeps the same.
        remembers = (control.model, control.memory) == (identity.model, place.context.memory.tag)
        same = remembers and control.fingerprint == identity.fingerprint
        memory_from = control.memory_from if remembers else start
        windows, pipeline = yield from self._bring_up(place, stored, control, memory_from)
        again_from = control.replay_from
        if windows == "rebuilt":
            memory_from = start
            again_from = max(place.first, start - self._policy.max_replay_records)
        if again_from < place.first:
            self._refusals.lost_input(
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
            pipeline=pipeline,
            next_offset=start,
            committed=place.committed,
            epoch_from=control.epoch_from if epoch is None else start,
            epoch=epoch,
            began_partitions=control.began_partitions or control.partitions,
            checkpointed_ms=control.checkpointed_ms if epoch is None else 0,  # replay can begin soon after the epoch
            series=len(pipeline.store),
            records=records,
            partitions_changed=control.partitions != self._count(place),
            judged_from=judged_from,
            memory_from=memory_from,
        )

    def _bring_up(
        self, place: Place, stored: StoredState, control: Control, memory_from: int
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

    def _rebuild(self, place: Place, stored: StoredState, why: str) -> Steps:
        """From the input alone, as if the partition's last records were new; what they lead to is not told again."""
        start = place.committed
        if start is None:
            start = place.end if stored.control is None else stored.control.next_offset
        start = self._refusals.within(place, start)
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
            pipeline=pipeline,
            next_offset=start,
            committed=place.committed,
            epoch_from=start,
            epoch=epoch,
            began_partitions=self._count(place),
            series=len(pipeline.store),
            records=records,
            judged_from=again_from,
            memory_from=again_from,
            obsolete=[series for series, _ in stored.raw.items()],
        )

    def _read_again(
        self, place: Place, pipeline: PartitionPipeline, start: int, stop: int, judged_from: int, memory_from: int
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

    def _count(self, place: Place) -> int:
        return self._partition_counts[place.partition.topic]

    def _epoch(
        self,
        place: Place,
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
