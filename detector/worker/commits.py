"""When a commit is due, what goes into it, and what is noted once it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from detector.failpoints import Announce, silent
from detector.kafka.committer import CommitResult, Committer, OutputRecord
from detector.kafka.errors import TransientKafkaError
from detector.kafka.membership import Membership
from detector.records.values import InputPartition
from detector.settings import Settings
from detector.worker.instruments import Instruments
from detector.worker.live_partition import LivePartition
from detector.worker.partition_counts import PartitionCounts
from detector.worker.snapshots import state_outputs

_log = structlog.get_logger(__name__)

Position = Callable[[InputPartition], int | None]


class Commits:
    """Commits what waits in the live partitions, all of it with its offsets at once.

    Args:
        settings: Of the whole process.
        live: The partitions that are being processed; whoever owns this mapping adds and removes them.
        partition_counts: Of the input topics.
        position: Offset of a partition's next record, as the client sees it.
        committer: Makes outcomes durable.
        instruments: Told of every commit.
        monotonic: Clock for intervals.
        announce: Told of each step (`detector.failpoints`).
    """

    def __init__(
        self,
        settings: Settings,
        live: Mapping[InputPartition, LivePartition],
        partition_counts: PartitionCounts,
        position: Position,
        committer: Committer,
        instruments: Instruments,
        monotonic: Callable[[], float] = time.monotonic,
        announce: Announce = silent,
    ) -> None:
        self._settings = settings
        self._live = live
        self._partition_counts = partition_counts
        self._position = position
        self._committer = committer
        self._instruments = instruments
        self._monotonic = monotonic
        self._announce = announce
        self._pending_records = 0
        self._last_commit = monotonic()

    @property
    def has_pending(self) -> bool:
        """Whether anything waits for a commit."""
        return any(live.is_pending for live in self._live.values())

    @property
    def due_in_seconds(self) -> float:
        """Time until what waits has waited for long enough; negative when it is overdue."""
        return self._last_commit + self._settings.worker.commit_interval_seconds - self._monotonic()

    def processed(self, records: int) -> None:
        """So many more records wait."""
        self._pending_records += records

    def is_due(self) -> bool:
        """Whether to commit now. While nothing waits, the interval does not begin."""
        if not self.has_pending:
            self._last_commit = max(
                self._last_commit, self._monotonic() - self._settings.worker.commit_interval_seconds
            )
            return False
        waited = self._monotonic() - self._last_commit
        return (
            waited >= self._settings.worker.commit_interval_seconds
            or self._pending_records >= self._settings.worker.commit_records
        )

    def commit(self, membership: Membership) -> tuple[CommitResult, list[InputPartition]]:
        """Commit every pending outcome with its offsets.

        Args:
            membership: As it was when the records were polled.

        Returns:
            How it ended, and the partitions that had something to commit.

        Raises:
            FencedError: another worker took this one's place.
        """
        outputs, offsets = self._gather()
        self._announce("state-gathered")
        started = self._monotonic()
        result = self._committer.commit(outputs, offsets, membership)
        self._last_commit = self._monotonic()
        self._instruments.committed(result.value, self._pending_records, self._last_commit - started)
        if result is not CommitResult.REFUSED:
            self._pending_records = 0
        if result is CommitResult.COMMITTED:
            self._note(offsets)
            self._announce("noted")
        return result, list(offsets)

    def _gather(self) -> tuple[list[OutputRecord], dict[InputPartition, int]]:
        """Everything to write, with what it says about state, and the offsets that it reaches."""
        outputs: list[OutputRecord] = []
        offsets: dict[InputPartition, int] = {}
        for partition, live in self._live.items():
            position = self._position_of(partition)
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
                    self._partition_counts.of(partition.topic),
                )
            )
            outputs.extend(live.outputs)
            offsets[partition] = live.next_offset
        return outputs, offsets

    def _note(self, offsets: Mapping[InputPartition, int]) -> None:
        for partition, offset in offsets.items():
            live = self._live[partition]
            live.committed = offset
            live.outputs = []
            for outcome in live.outcomes:
                self._instruments.emitted(live.context.name, outcome)
            live.outcomes = []

    def _position_of(self, partition: InputPartition) -> int | None:
        try:
            return self._position(partition)
        except TransientKafkaError as error:
            # It only saves stepping past transaction markers; what was processed can be committed without it.
            _log.debug("position is unknown", partition=partition.partition, error=str(error))
            return None
