"""The live loop: poll, process, commit.

What a poll returned is processed before the next poll. Outcomes gather in memory, over several polls if need be, and
are then committed with their offsets in one go, without a poll in between: rebalance callbacks fire inside polls, so
no transaction is ever open across one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from detector.alerting.events import encode
from detector.bad_records import BadRecordGuard
from detector.checkpointing import CheckpointPolicy, CheckpointWriter
from detector.errors import KafkaUnavailableError, StateMismatchError
from detector.failpoints import Announce, silent
from detector.instruments import Instruments
from detector.kafka.committer import CommitResult, Committer, OutputRecord
from detector.kafka.errors import TransientKafkaError
from detector.kafka.source import Membership, Poll
from detector.live_partition import LivePartition
from detector.observability.health import Health
from detector.pipeline import StreamContext
from detector.placement import Placement
from detector.poll_size import PollSize, target_seconds
from detector.records.values import InputPartition, Record
from detector.recovery import Recovery, Restored, Steps
from detector.settings import Settings
from detector.snapshots import state_outputs
from detector.state_reading import Progress

_log = structlog.get_logger(__name__)
_IDLE_POLL_SECONDS = 0.2
_RESTORE_SLICE_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_LAG_EVERY_SECONDS = 5.0
_REPORT_EVERY_SECONDS = 1.0
_RESTORE_LOG_SECONDS = 5.0


class Source(Protocol):
    """The live input; `detector.kafka.source.GroupSource` is one."""

    def poll(self, timeout_seconds: float, max_records: int) -> Poll: ...  # noqa: D102
    def resume(self, partition: InputPartition, offset: int) -> None: ...  # noqa: D102
    def hold(self, partition: InputPartition) -> None: ...  # noqa: D102
    def rejoin(self) -> None: ...  # noqa: D102
    def partition_count(self, topic: str) -> int: ...  # noqa: D102
    def position(self, partition: InputPartition) -> int | None: ...  # noqa: D102
    def ends(self, partitions: Sequence[InputPartition]) -> Mapping[InputPartition, int]: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(slots=True)
class _Restoration:
    """The partition that is being restored.

    Attributes:
        started: Monotonic seconds.
        log_at: When to say how far it is, monotonic seconds.
    """

    partition: InputPartition
    steps: Steps
    started: float
    log_at: float


class Worker:
    """Runs streams until told to stop.

    Args:
        settings: Of the whole process.
        contexts: Stream by input topic.
        partition_counts: Number of partitions by input topic.
        source: The group consumer.
        committer: Makes outcomes durable.
        recovery: Restores partitions.
        instruments: Told of everything that is counted.
        health: Told of progress and readiness.
        stopping: Asked before every cycle.
        reloaded: Asked after every cycle for streams whose model was replaced, by input topic.
        monotonic: Clock for intervals.
        announce: Told of each step (`detector.failpoints`).
        now: Wall clock, seconds since the epoch of Unix; it only says when a checkpoint is due.
        is_member: Asks the group whether it still counts this worker in.
    """

    def __init__(
        self,
        settings: Settings,
        contexts: Mapping[str, StreamContext],
        partition_counts: Mapping[str, int],
        source: Source,
        committer: Committer,
        recovery: Recovery,
        instruments: Instruments,
        health: Health,
        stopping: Callable[[], bool],
        reloaded: Callable[[], Mapping[str, StreamContext]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
        announce: Announce = silent,
        now: Callable[[], float] = time.time,
        is_member: Callable[[Membership], bool] = bool,
    ) -> None:
        self._settings = settings
        self._contexts = dict(contexts)
        self._partition_counts = partition_counts
        self._source = source
        self._committer = committer
        self._recovery = recovery
        self._instruments = instruments
        self._health = health
        self._stopping = stopping
        self._reloaded = reloaded
        self._monotonic = monotonic
        self._announce = announce
        self._now = now
        self._is_member = is_member
        self._checkpoints = CheckpointPolicy(
            settings.topics.epochs,
            int(settings.worker.state.checkpoint_interval_seconds * 1000),
            settings.worker.state.snapshot_bytes_per_commit,
        )
        self._guard = BadRecordGuard(settings.worker.bad_records)
        self._poll_size = PollSize(
            settings.worker.max_poll_records, target_seconds(settings.worker.max_poll_interval_seconds)
        )
        self._placement = Placement()
        self._live: dict[InputPartition, LivePartition] = {}
        self._waiting: deque[InputPartition] = deque()
        self._restoring: _Restoration | None = None
        self._pending_records = 0
        self._last_commit = monotonic()
        self._last_lag = monotonic() - _LAG_EVERY_SECONDS
        self._last_report = monotonic() - _REPORT_EVERY_SECONDS
        self._was_assigned = False
        self._rejoined = False
        self._retry_at = 0.0

    def run(self) -> None:
        """Loop until `stopping`, then commit what was processed.

        Raises:
            DetectorError: something that going on would make worse. What was not committed is done again at the next
            start.
        """
        membership: Membership | None = None
        while not self._stopping():
            membership = self.cycle()
        if membership is not None and self._has_pending():
            self.commit(membership)

    def cycle(self) -> Membership | None:
        """One poll and what follows from it; the membership to commit with, or None when the poll failed."""
        try:
            poll = self._source.poll(self._poll_timeout(), self._poll_size.records)
        except TransientKafkaError as error:
            _log.warning("poll failed, trying again", error=str(error))
            self._pause()
            return None
        self._instruments.polled()
        for partition in poll.dropped:
            self._drop(partition)
        for partition in poll.assigned:
            self._waiting.append(partition)
        self._was_assigned |= bool(poll.membership.valid)
        if poll.dropped or poll.assigned:
            self._instruments.rebalanced()
            _log.info(
                "assignment changed",
                assigned=[f"{p.topic}/{p.partition}" for p in poll.assigned],
                dropped=[f"{p.topic}/{p.partition}" for p in poll.dropped],
            )
        if poll.records:
            self._announce("polled")
        started = self._monotonic()
        for partition, records in poll.records.items():
            self._process(partition, records)
        self._poll_size.observe(sum(map(len, poll.records.values())), self._monotonic() - started)
        self._instruments.poll_limit(self._poll_size.records)
        if poll.records:
            self._announce("processed")
        self._restore_some(poll.membership)
        if self._commit_is_due():
            self.commit(poll.membership)
        self._change_models(poll.membership)
        self._report()
        return poll.membership

    # -- one step each
    # ---------------------------------------------------------------------------------------------------

    def _poll_timeout(self) -> float:
        if self._restoring is not None or (self._waiting and self._monotonic() >= self._retry_at):
            return 0.0
        if self._has_pending():
            due_in = self._last_commit + self._settings.worker.commit_interval_seconds - self._monotonic()
            return min(_IDLE_POLL_SECONDS, max(0.0, due_in))
        return _IDLE_POLL_SECONDS

    def _process(self, partition: InputPartition, records: Sequence[Record]) -> None:
        live = self._live.get(partition)
        if live is None:
            return
        outcome = live.pipeline.process(records)
        self._instruments.processed(live.context.name, outcome)
        self._guard.observe(partition, outcome)
        self._placement.observe(live.context.name, partition, outcome.active)
        live.outputs.extend(
            OutputRecord(self._settings.topics.events, partition.partition, series.encode(), encode(event))
            for series, event in outcome.events
        )
        live.outputs.extend(
            OutputRecord(
                self._settings.topics.dead_letters, partition.partition, letter.key, letter.value, letter.headers
            )
            for _, letter in outcome.dead_letters
        )
        live.touched |= outcome.touched
        live.outcomes.append(outcome)
        live.next_offset = records[-1].offset + 1
        self._pending_records += len(records)

    def _restore_some(self, membership: Membership) -> None:
        """Spend a slice of time on restoring, then let the loop poll again."""
        if self._restoring is None:
            if not self._waiting or self._monotonic() < self._retry_at:
                return
            partition = self._waiting.popleft()
            self._check_known(partition.topic, partition.partition + 1)
            _log.info("restoring", topic=partition.topic, partition=partition.partition)
            started = self._monotonic()
            steps = self._recovery.restore(partition, self._contexts[partition.topic])
            self._restoring = _Restoration(partition, steps, started, started + _RESTORE_LOG_SECONDS)
        now = self._restoring
        until = self._monotonic() + _RESTORE_SLICE_SECONDS
        try:
            for step in now.steps:
                if isinstance(step, Restored):
                    self._restoring = None
                    self._go_live(now.partition, step, self._monotonic() - now.started)
                    return
                self._progress(now, step)
                if self._monotonic() > until:
                    return
        except (TransientKafkaError, KafkaUnavailableError) as error:
            self._restore_later(now.partition, error)
        except StateMismatchError as error:
            if self._owns_nothing(membership):
                self._restore_later(now.partition, error)
            else:
                raise

    def _restore_later(self, partition: InputPartition, error: Exception) -> None:
        _log.warning("restoring failed, trying again", partition=partition.partition, error=str(error))
        self._restoring = None
        self._waiting.appendleft(partition)
        self._retry_at = self._monotonic() + _RETRY_SECONDS

    def _owns_nothing(self, membership: Membership) -> bool:
        """Whether the group has given this worker up, so that others may be moving offsets and state.

        The next polls will say so; what looks like a contradiction is then none of its business.
        """
        try:
            return not self._is_member(membership)
        except KafkaUnavailableError:
            return True  # and then it will be asked again
        except TransientKafkaError as error:
            return bool(error.retriable)  # without the right to ask, what was found stands

    def _check_known(self, topic: str, partitions: int) -> None:
        count = self._partition_counts[topic]
        if partitions > count:
            raise StateMismatchError(
                f"topic {topic} has {partitions} partitions now, and had {count} when this worker started. Start it "
                "again: it then checks whether the other topics have enough partitions, and what becomes of the keys "
                "that moved (worker.on_new_partitions)"
            )

    def _progress(self, now: _Restoration, step: Progress) -> None:
        self._instruments.restoring(max(0, step.total - step.done))
        if self._monotonic() < now.log_at:
            return
        now.log_at = self._monotonic() + _RESTORE_LOG_SECONDS
        _log.info(
            "still restoring",
            topic=now.partition.topic,
            partition=now.partition.partition,
            records=step.done,
            of=step.total,
            seconds=round(self._monotonic() - now.started, 1),
        )

    def _go_live(self, partition: InputPartition, restored: Restored, seconds: float) -> None:
        context = self._contexts[partition.topic]
        checkpoint = CheckpointWriter(
            self._checkpoints, context.name, partition, restored.checkpointed_ms, lambda: int(self._now() * 1000)
        )
        self._live[partition] = LivePartition(
            context,
            restored.pipeline,
            restored.next_offset,
            # An idle partition, too, must note that the new number was accepted.
            None if restored.partitions_changed else restored.committed,
            restored.epoch_from,
            restored.epoch,
            checkpoint,
            restored.began_partitions,
        )
        self._placement.observe(context.name, partition, restored.pipeline.unsaved)
        self._source.resume(partition, restored.next_offset)
        if restored.partitions_changed and not self._rejoined:
            self._rejoined = True
            self._source.rejoin()
        self._announce("resumed")
        self._instruments.restored(context.name, restored.records, seconds)
        _log.info(
            "live",
            topic=partition.topic,
            partition=partition.partition,
            next_offset=restored.next_offset,
            series=restored.series,
            records_read_again=restored.records,
            seconds=round(seconds, 3),
        )

    def _drop(self, partition: InputPartition) -> None:
        """Let go of a partition: pending outcomes, windows and incidents are its next owner's business."""
        self._live.pop(partition, None)
        self._placement.drop(self._contexts[partition.topic].name, partition)
        if partition in self._waiting:
            self._waiting.remove(partition)
        if self._restoring is not None and self._restoring.partition == partition:
            self._restoring = None
        self._instruments.dropped(partition)

    def _restore_anew(self, partition: InputPartition) -> None:
        """Read back what is committed of a partition that this worker keeps."""
        self._drop(partition)
        self._source.hold(partition)
        self._waiting.append(partition)

    def _change_models(self, membership: Membership) -> None:
        """Put new models in place, as a restart would, but without leaving the group."""
        replaced = self._reloaded()
        if not replaced:
            return
        if self._has_pending():
            self.commit(membership)
        self._contexts.update(replaced)
        affected = [p for p in (*self._live, *self._waiting) if p.topic in replaced]
        if self._restoring is not None and self._restoring.partition.topic in replaced:
            affected.append(self._restoring.partition)
        for partition in affected:
            self._restore_anew(partition)

    # -- commit
    # ----------------------------------------------------------------------------------------------------------

    def _has_pending(self) -> bool:
        return any(live.is_pending for live in self._live.values())

    def _commit_is_due(self) -> bool:
        if not self._has_pending():
            self._last_commit = max(
                self._last_commit, self._monotonic() - self._settings.worker.commit_interval_seconds
            )
            return False
        waited = self._monotonic() - self._last_commit
        return (
            waited >= self._settings.worker.commit_interval_seconds
            or self._pending_records >= self._settings.worker.commit_records
        )

    def commit(self, membership: Membership) -> CommitResult:
        """Commit every pending outcome with its offsets.

        Raises:
            FencedError: another worker took this one's place.
        """
        outputs: list[OutputRecord] = []
        offsets: dict[InputPartition, int] = {}
        for partition, live in self._live.items():
            position = self._position(partition)
            if position is not None and position > live.next_offset:
                live.next_offset = position  # nothing but transaction markers in between
            if not live.is_pending:
                continue
            live.outputs.extend(
                state_outputs(
                    partition,
                    live,
                    self._settings.topics,
                    self._settings.worker.state,
                    self._partition_counts[partition.topic],
                )
            )
            outputs.extend(live.outputs)
            offsets[partition] = live.next_offset
        self._announce("state-gathered")
        started = self._monotonic()
        result = self._committer.commit(outputs, offsets, membership)
        self._last_commit = self._monotonic()
        self._instruments.committed(result.value, self._pending_records, self._last_commit - started)
        if result is CommitResult.COMMITTED:
            self._pending_records = 0
            for partition, offset in offsets.items():
                live = self._live[partition]
                live.committed = offset
                live.outputs = []
                for outcome in live.outcomes:
                    self._instruments.emitted(live.context.name, outcome)
                live.outcomes = []
            self._announce("noted")
        elif result is CommitResult.UNKNOWN:
            _log.warning("the outcome of a commit is unknown; reading back what is committed", partitions=len(offsets))
            self._pending_records = 0
            for partition in offsets:
                self._restore_anew(partition)
            self._pause()
        else:
            _log.info("the group refused a commit; outcomes of partitions still owned are sent again")
        return result

    def _position(self, partition: InputPartition) -> int | None:
        try:
            return self._source.position(partition)
        except TransientKafkaError as error:
            # It only saves stepping past transaction markers; what was processed can be committed without it.
            _log.debug("position is unknown", partition=partition.partition, error=str(error))
            return None

    # -- what people watch
    # -----------------------------------------------------------------------------------------------

    def _report(self) -> None:
        self._health.loop_progress()
        restoring = len(self._waiting) + (self._restoring is not None)
        if restoring:
            self._health.set_not_ready("assignment", f"{restoring} partitions are being restored")
        elif not self._live and not self._was_assigned:
            self._health.set_not_ready("assignment", "the group has not assigned anything yet")
        else:
            self._health.set_ready("assignment")
        now = self._monotonic()
        if now - self._last_report < _REPORT_EVERY_SECONDS:
            return
        self._last_report = now
        self._instruments.assigned(len(self._live), restoring)
        for stream, lives in self._by_stream().items():
            self._instruments.observe(stream, [live.pipeline for live in lives])
            self._instruments.spread(stream, self._placement.several(stream))
        if now - self._last_lag < _LAG_EVERY_SECONDS:
            return
        self._last_lag = now
        for topic in self._contexts:
            self._check_known(topic, self._source.partition_count(topic))
        try:
            ends = self._source.ends(list(self._live))
        except TransientKafkaError as error:
            _log.debug("lag is unknown", error=str(error))
            return
        behind = {
            partition: max(0, ends[partition] - (live.next_offset if live.committed is None else live.committed))
            for partition, live in self._live.items()
            if partition in ends
        }
        self._instruments.lag(behind)

    def _by_stream(self) -> dict[str, list[LivePartition]]:
        streams: dict[str, list[LivePartition]] = {context.name: [] for context in self._contexts.values()}
        for live in self._live.values():
            streams[live.context.name].append(live)
        return streams

    def _pause(self) -> None:
        """Wait a little, but not when it is time to stop."""
        until = self._monotonic() + _RETRY_SECONDS
        while self._monotonic() < until and not self._stopping():
            time.sleep(0.05)
