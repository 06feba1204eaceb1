"""The live loop: poll, process, commit.

What a poll returned is processed before the next poll. Outcomes gather in memory, over several polls if need be, and
are then committed with their offsets in one go, without a poll in between: rebalance callbacks fire inside polls, so
no transaction is ever open across one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from detector.failpoints import Announce, silent
from detector.kafka.committer import CommitResult, Committer
from detector.kafka.errors import TransientKafkaError
from detector.kafka.membership import Membership
from detector.kafka.source import Poll
from detector.observability.health import Health
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition, Record
from detector.settings import Settings
from detector.worker.bad_records import BadRecordGuard
from detector.worker.checkpointing import CheckpointPolicy, CheckpointWriter
from detector.worker.commits import Commits
from detector.worker.instruments import Instruments
from detector.worker.live_partition import LivePartition
from detector.worker.partition_counts import PartitionCounts
from detector.worker.placement import Placement
from detector.worker.poll_size import PollSize, target_seconds
from detector.worker.recovery.values import Restored
from detector.worker.recovery.ways import Recovery
from detector.worker.reporting import Reporter
from detector.worker.restorations import Restorations

_log = structlog.get_logger(__name__)
_IDLE_POLL_SECONDS = 0.2
_RETRY_SECONDS = 1.0


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
        self._partition_counts = PartitionCounts(partition_counts, source.partition_count, monotonic)
        self._source = source
        self._instruments = instruments
        self._stopping = stopping
        self._reloaded = reloaded
        self._monotonic = monotonic
        self._announce = announce
        self._now = now
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
        self._commits = Commits(
            settings,
            self._live,
            self._partition_counts,
            source.position,
            committer,
            instruments,
            monotonic,
            announce,
        )
        self._restorations = Restorations(recovery, self._contexts, instruments, is_member, monotonic)
        self._reporter = Reporter(
            [context.name for context in contexts.values()],
            instruments,
            health,
            self._placement,
            source.ends,
            monotonic,
        )
        self._was_assigned = False
        self._rejoined = False

    def run(self) -> None:
        """Loop until `stopping`, then commit what was processed.

        Raises:
            DetectorError: something that going on would make worse. What was not committed is done again at the next
            start.
        """
        membership: Membership | None = None
        while not self._stopping():
            membership = self.cycle()
        if membership is not None and self._commits.has_pending:
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
            self._partition_counts.check(partition.topic, partition.partition + 1)
            self._restorations.add(partition)
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
        restored = self._restorations.advance(poll.membership)
        if restored is not None:
            self._go_live(*restored)
        if self._commits.is_due():
            self.commit(poll.membership)
        self._change_models(poll.membership)
        self._partition_counts.look()
        self._reporter.report(self._live, len(self._restorations), self._was_assigned)
        return poll.membership

    # -- one step each
    # ---------------------------------------------------------------------------------------------------

    def _poll_timeout(self) -> float:
        if self._restorations.is_due:
            return 0.0
        if self._commits.has_pending:
            return min(_IDLE_POLL_SECONDS, max(0.0, self._commits.due_in_seconds))
        return _IDLE_POLL_SECONDS

    def _process(self, partition: InputPartition, records: Sequence[Record]) -> None:
        live = self._live.get(partition)
        if live is None:
            return
        outcome = live.pipeline.process(records)
        self._instruments.processed(live.context.name, partition, outcome)
        self._guard.observe(partition, outcome)
        self._placement.observe(live.context.name, partition, outcome.active)
        live.add(outcome, self._settings.topics, records[-1].offset + 1)
        self._commits.processed(len(records))

    def _go_live(self, partition: InputPartition, restored: Restored, seconds: float) -> None:
        context = self._contexts[partition.topic]
        checkpoint = CheckpointWriter(
            self._checkpoints, context.name, partition, restored.checkpointed_ms, lambda: int(self._now() * 1000)
        )
        self._live[partition] = LivePartition(
            context=context,
            pipeline=restored.pipeline,
            next_offset=restored.next_offset,
            # An idle partition, too, must note that the new number was accepted.
            committed=None if restored.partitions_changed else restored.committed,
            epoch_from=restored.epoch_from,
            epoch=restored.epoch,
            checkpoint=checkpoint,
            began_partitions=restored.began_partitions,
            judged_from=restored.judged_from,
            memory_from=restored.memory_from,
            obsolete=set(restored.obsolete),
        )
        self._placement.observe(context.name, partition, restored.pipeline.unsaved.since)
        self._source.resume(partition, restored.next_offset)
        if restored.partitions_changed and not self._rejoined:
            self._rejoined = True
            self._source.rejoin()
        self._instruments.went_live(context.name, partition, restored.series)
        self._announce("resumed")
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
        stream = self._contexts[partition.topic].name
        self._placement.drop(stream, partition)
        self._restorations.discard(partition)
        self._instruments.dropped(stream, partition)

    def _restore_anew(self, partition: InputPartition) -> None:
        """Read back what is committed of a partition that this worker keeps."""
        self._drop(partition)
        self._source.hold(partition)
        self._restorations.add(partition)

    def _change_models(self, membership: Membership) -> None:
        """Put new models in place, as a restart would, but without leaving the group."""
        replaced = self._reloaded()
        if not replaced:
            return
        if self._commits.has_pending:
            self.commit(membership)
        self._contexts.update(replaced)
        for partition in [*self._live, *self._restorations]:
            if partition.topic in replaced:
                self._restore_anew(partition)

    def commit(self, membership: Membership) -> CommitResult:
        """Commit every pending outcome with its offsets, and do what its result asks for.

        Raises:
            FencedError: another worker took this one's place.
        """
        result, partitions = self._commits.commit(membership)
        if result is CommitResult.UNKNOWN:
            _log.warning(
                "the outcome of a commit is unknown; reading back what is committed", partitions=len(partitions)
            )
            for partition in partitions:
                self._restore_anew(partition)
            self._pause()
        elif result is CommitResult.REFUSED:
            _log.info("the group refused a commit; outcomes of partitions still owned are sent again")
        return result

    def _pause(self) -> None:
        """Wait a little, but not when it is time to stop."""
        until = self._monotonic() + _RETRY_SECONDS
        while self._monotonic() < until and not self._stopping():
            time.sleep(0.05)
