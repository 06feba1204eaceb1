"""The transactional committer and what a killed process left open."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaTimeoutError

from detector.kafka.client import consumer_config, producer_config
from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.membership import Membership
from detector.kafka.source import GroupSource
from detector.kafka.transactions import TransactionalCommitter
from detector.settings import KafkaSettings, WorkerSettings

pytestmark = pytest.mark.kafka


def test_a_restart_ends_what_the_killed_process_left_open(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(topic_name)
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(settings), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    (partition,) = poll.assigned
    source.commit({partition: 1})
    while source.committed(partition) is None:
        pass  # a new coordinator may forget for a moment what it has acknowledged
    killed = KafkaProducer(
        **producer_config(settings), transactional_id=f"{topic_name}.one", transaction_timeout_ms=300_000
    )
    killed.init_transactions()
    killed.begin_transaction()
    killed.send_offsets_to_transaction(
        {TopicPartition(*partition): OffsetAndMetadata(7, "", -1)}, poll.membership.metadata
    )
    committer = TransactionalCommitter(producer_config(settings), f"{topic_name}.one", 10.0)
    try:
        committer.prepare()
        # Without it the offset is unstable for as long as the transaction may take, here five minutes.
        assert source.committed(partition) == 1
    finally:
        committer.close()
        killed.close(timeout=0)
        source.close()


def test_offsets_that_were_refused_are_not_committed_with_the_next_ones(
    broker: Any, topic_name: str, create_topic: Any
) -> None:
    create_topic(topic_name, partitions=2)
    create_topic(f"{topic_name}.out")
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(settings), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    first, second = poll.assigned
    expelled = Membership(poll.membership.metadata._replace(generation_id=99))
    committer = TransactionalCommitter(producer_config(settings), f"{topic_name}.one", 10.0)
    output = OutputRecord(f"{topic_name}.out", 0, b"key", b"value")
    try:
        assert committer.commit([output], {first: 5, second: 7}, expelled) is CommitResult.REFUSED
        assert committer.commit([output], {first: 6}, poll.membership) is CommitResult.COMMITTED
        assert (source.committed(first), source.committed(second)) == (6, None)
    finally:
        committer.close()
        source.close()


class GivesUp(KafkaProducer):  # type: ignore[misc]
    """Says of every record that it was given up, and would commit all the same, as kafka-python 3.0 does."""

    def send(self, *arguments: Any, **options: Any) -> Any:
        super().send(*arguments, **options)
        return SimpleNamespace(get=self._give_up)

    def _give_up(self, timeout: float) -> None:
        raise KafkaTimeoutError("the batch expired")


def test_a_transaction_that_lacks_a_record_is_not_committed(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(topic_name)
    create_topic(f"{topic_name}.out")
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(settings), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    (partition,) = poll.assigned
    committer = TransactionalCommitter(producer_config(settings), f"{topic_name}.one", 10.0, GivesUp)
    output = OutputRecord(f"{topic_name}.out", 0, b"key", b"value")
    try:
        assert committer.commit([output], {partition: 5}, poll.membership) is CommitResult.UNKNOWN
        committer.prepare()  # ends what was begun
        assert source.committed(partition) is None
    finally:
        committer.close()
        source.close()


class Slow(KafkaProducer):  # type: ignore[misc]
    """Holds records back, and notes itself."""

    made: ClassVar[list[Slow]] = []

    def __init__(self, **config: Any) -> None:
        super().__init__(**{**config, "linger_ms": 60_000, "delivery_timeout_ms": 120_000})
        self.made.append(self)


def test_a_producer_that_was_given_up_sends_nothing_more(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(f"{topic_name}.out")
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    committer = TransactionalCommitter(producer_config(settings), f"{topic_name}.one", 10.0, Slow)
    committer.open()
    producer = Slow.made.pop()
    producer.begin_transaction()
    unsent = producer.send(f"{topic_name}.out", value=b"value", partition=0)
    committer.close()
    producer._sender.join(60)
    assert not producer._sender.is_alive()
    assert unsent.failed()


def test_a_cluster_that_is_away_is_left_to_the_first_commit() -> None:
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), connect_timeout_seconds=0.2)
    committer = TransactionalCommitter(producer_config(settings), "group.one", 0.5)
    committer.prepare()
    committer.close()
