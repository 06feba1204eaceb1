"""When a commit is due, what goes into it, and what stays when the group refuses it: apart from any broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.errors import TransientKafkaError
from detector.kafka.membership import Membership
from detector.observability.metrics import Metrics
from detector.pipeline.outcome import Outcome
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition
from detector.worker.checkpointing import CheckpointPolicy, CheckpointWriter
from detector.worker.commits import Commits
from detector.worker.instruments import Instruments
from detector.worker.live_partition import LivePartition
from detector.worker.partition_counts import PartitionCounts
from tests.worker.support import Nowhere, make_context, make_settings

SETTINGS = make_settings(Nowhere("localhost:1", "none"), commit_interval_seconds=10.0, commit_records=100)
WHERE = InputPartition("t", 0)
MEMBER: Any = Membership(None)


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Answering:
    """Stands for the committer: remembers what it is given, and answers as told."""

    def __init__(self, result: CommitResult) -> None:
        self.result = result
        self.given: list[tuple[list[OutputRecord], dict[InputPartition, int]]] = []

    def prepare(self) -> None: ...

    def close(self) -> None: ...

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        self.given.append((list(outputs), dict(offsets)))
        return self.result


class Bench:
    """One live partition, committed up to offset 5."""

    def __init__(self, result: CommitResult = CommitResult.COMMITTED, position: int | None = None) -> None:
        self.clock, self.committer, self.at = Clock(), Answering(result), position
        self.registry = CollectorRegistry()
        context = make_context(SETTINGS, "cluster")
        checkpoint = CheckpointWriter(CheckpointPolicy("epochs", 10**12, 1), "pumps", WHERE, 10**15, lambda: 10**15)
        self.live = LivePartition(context, PartitionPipeline(context, 0), 5, 5, 0, None, checkpoint, 1)
        self.commits = Commits(
            SETTINGS,
            {WHERE: self.live},
            PartitionCounts({"t": 1}, lambda _: 1, self.clock),
            self.position,
            self.committer,
            Instruments(Metrics(self.registry), 100.0, self.clock),
            self.clock,
        )

    def position(self, partition: InputPartition) -> int | None:
        if self.at == -1:
            raise TransientKafkaError("no answer")
        return self.at

    def process(self, records: int) -> None:
        self.live.add(Outcome(records=records), SETTINGS.topics, self.live.next_offset + records)
        self.commits.processed(records)


def test_it_is_due_once_something_has_waited_for_the_interval_or_is_much() -> None:
    bench = Bench()
    bench.clock.seconds += 60
    assert not bench.commits.has_pending
    assert not bench.commits.is_due()
    bench.process(3)
    # What came after a long silence is overdue at once: the interval runs between commits.
    assert bench.commits.due_in_seconds == 0
    assert bench.commits.is_due()
    bench.commits.commit(MEMBER)
    bench.process(99)
    assert not bench.commits.is_due()
    assert bench.commits.due_in_seconds == 10
    bench.process(1)
    assert bench.commits.is_due()


def test_a_commit_carries_state_and_offsets_and_leaves_nothing_waiting() -> None:
    bench = Bench()
    bench.process(3)
    assert bench.commits.commit(MEMBER) == (CommitResult.COMMITTED, [WHERE])
    ((outputs, offsets),) = bench.committer.given
    assert offsets == {WHERE: 8}
    assert [output.topic for output in outputs] == ["none.state"]  # the control record
    assert (bench.live.committed, bench.live.outputs, bench.live.outcomes) == (8, [], [])
    assert not bench.commits.has_pending


def test_what_the_group_refused_is_sent_again_and_still_counts() -> None:
    bench = Bench(CommitResult.REFUSED)
    bench.process(60)
    assert bench.commits.commit(MEMBER) == (CommitResult.REFUSED, [WHERE])
    assert (bench.live.committed, len(bench.live.outcomes)) == (5, 1)
    bench.process(40)
    assert bench.commits.is_due()  # a hundred records wait, though the interval has only begun
    bench.committer.result = CommitResult.COMMITTED
    bench.commits.commit(MEMBER)
    assert bench.committer.given[-1][1] == {WHERE: 105}
    assert bench.registry.get_sample_value("reconstream_commit_records_sum") == 100


def test_of_an_unknown_outcome_the_partitions_are_named_and_nothing_is_noted() -> None:
    bench = Bench(CommitResult.UNKNOWN)
    bench.process(3)
    assert bench.commits.commit(MEMBER) == (CommitResult.UNKNOWN, [WHERE])
    assert bench.live.committed == 5
    assert bench.registry.get_sample_value("reconstream_commits_total", {"outcome": "unknown"}) == 1


@pytest.mark.parametrize(("position", "committed"), [(9, 9), (7, 8), (None, 8), (-1, 8)])
def test_the_position_steps_past_transaction_markers_and_never_back(position: int | None, committed: int) -> None:
    bench = Bench(position=position)
    bench.process(3)
    bench.commits.commit(MEMBER)
    assert bench.committer.given[-1][1] == {WHERE: committed}
