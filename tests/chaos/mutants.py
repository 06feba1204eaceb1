"""Workers that are wrong on purpose, each in one way that looks harmless: the check must catch every one of them.

``python -m tests.chaos.mutants NAME run -c detector.yaml`` is the real program with one thing changed.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

import detector.worker.commits
from detector.cli import main
from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.membership import Membership
from detector.kafka.source import GroupSource, Poll
from detector.kafka.transactions import TransactionalCommitter
from detector.records.values import InputPartition

Offsets = Mapping[InputPartition, int]


def commit_before_produce() -> None:
    """Offsets and state first, events afterwards, in a transaction of their own."""

    def transact(
        self: TransactionalCommitter, outputs: Sequence[OutputRecord], offsets: Offsets, membership: Membership
    ) -> None:
        producer: Any = self._producer
        producer.begin_transaction()
        self._announce("begun")
        for output in outputs:
            if output.topic.endswith((".state", ".epochs")):
                _send(producer, output)
        producer.send_offsets_to_transaction(_for_client(offsets), membership.metadata)
        self._announce("offsets-sent")
        producer.commit_transaction()
        self._announce("committed")
        producer.begin_transaction()
        for output in outputs:
            if not output.topic.endswith((".state", ".epochs")):
                _send(producer, output)
        producer.commit_transaction()

    TransactionalCommitter._transact = transact  # type: ignore[method-assign]


def skip_snapshot() -> None:
    """The control record says where the partition stands, and the series' snapshots are left out."""
    original = detector.worker.commits.state_outputs

    def without_snapshots(*arguments: Any) -> Iterator[OutputRecord]:
        return (output for output in original(*arguments) if not (output.key or b"").startswith(b"s "))

    detector.worker.commits.state_outputs = without_snapshots  # type: ignore[assignment]


def keep_revoked() -> None:
    """What was processed for a partition is committed even though the partition was taken away meanwhile."""
    original = GroupSource.poll

    def poll(self: GroupSource, *arguments: Any) -> Poll:
        return dataclasses.replace(original(self, *arguments), dropped=())

    GroupSource.poll = poll  # type: ignore[method-assign]


def late_metadata() -> None:
    """The group's metadata is taken when offsets are sent, not when the records were polled, and not looked at."""
    sources: list[GroupSource] = []
    begin, transact = GroupSource.__init__, TransactionalCommitter._transact

    def remember(self: GroupSource, *arguments: Any) -> None:
        begin(self, *arguments)
        sources.append(self)

    class Late:
        @property
        def metadata(self) -> Any:
            return sources[-1]._consumer.group_metadata()

    def with_late(
        self: TransactionalCommitter, outputs: Sequence[OutputRecord], offsets: Offsets, membership: Membership
    ) -> None:
        transact(self, outputs, offsets, Late())  # type: ignore[arg-type]

    GroupSource.__init__ = remember  # type: ignore[method-assign]
    TransactionalCommitter._transact = with_late  # type: ignore[method-assign]


def retry_unknown() -> None:
    """A commit whose outcome is unknown is tried again."""
    original = TransactionalCommitter.commit

    def commit(
        self: TransactionalCommitter, outputs: Sequence[OutputRecord], offsets: Offsets, membership: Membership
    ) -> CommitResult:
        result = original(self, outputs, offsets, membership)
        while result is CommitResult.UNKNOWN and membership.valid:
            result = original(self, outputs, offsets, membership)
        return result

    TransactionalCommitter.commit = commit  # type: ignore[method-assign]


MUTATIONS: Mapping[str, Callable[[], None]] = {
    "commit-before-produce": commit_before_produce,
    "skip-snapshot": skip_snapshot,
    "keep-revoked": keep_revoked,
    "late-metadata": late_metadata,
    "retry-unknown": retry_unknown,
}


def entry(name: str) -> tuple[str, ...]:
    """Arguments of Python that start a mutant."""
    return ("-m", "tests.chaos.mutants", name)


def _send(producer: Any, output: OutputRecord) -> None:
    producer.send(
        output.topic, value=output.value, key=output.key, headers=list(output.headers), partition=output.partition
    )


def _for_client(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}


if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    main(sys.argv[2:])
