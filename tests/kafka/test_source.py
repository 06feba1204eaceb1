"""The group source against a real broker."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import LogTruncationError

from detector.errors import ConfigError
from detector.kafka.client import consumer_config
from detector.kafka.source import GroupSource
from detector.records.values import InputPartition
from detector.settings import KafkaSettings, WorkerSettings

pytestmark = pytest.mark.kafka


def test_a_partition_held_in_the_middle_of_a_fetch_is_fetched_again(
    broker: Any, topic_name: str, create_topic: Any
) -> None:
    create_topic(topic_name, partitions=2)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=2)
    for number in range(400):
        producer.send(topic_name, value=b"x", partition=number % 2)
    producer.close()
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6, max_poll_records=20)
    # About one start in three met the client in the state in which it forgot the partition.
    for attempt in range(12):
        source = GroupSource(consumer_config(settings), worker, [topic_name])
        counts = {0: 0, 1: 0}
        waiting: list[Any] = []
        for _ in range(200):
            poll = source.poll(0.0 if waiting else 0.1)
            waiting.extend(poll.assigned)
            for partition, records in poll.records.items():
                counts[partition.partition] += len(records)
            if waiting:
                source.resume(waiting.pop(), 50)
            if counts == {0: 150, 1: 150}:
                break
        if attempt == 0:
            source.commit(dict.fromkeys(source.owned, 50))
        source.close()
        assert counts == {0: 150, 1: 150}, f"at start {attempt}"


def test_a_poll_brings_no_more_records_than_it_asked_for(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(topic_name, partitions=2)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=2)
    for number in range(100):
        producer.send(topic_name, value=b"x", partition=number % 2)
    producer.close()
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))), worker, [topic_name])
    sizes = []
    while sum(sizes) < 100:
        poll = source.poll(0.2, 7)
        for partition in poll.assigned:
            source.resume(partition, 0)
        sizes.append(sum(map(len, poll.records.values())))
    source.close()
    assert max(sizes) == 7


def test_a_session_timeout_that_the_brokers_refuse_is_said(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(topic_name)
    # 30 minutes is the brokers' default limit; the local broker's lower one is less than the settings allow.
    worker = WorkerSettings(
        group=topic_name, instance="one", session_timeout_seconds=1900, max_poll_interval_seconds=2000
    )
    source = GroupSource(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))), worker, [topic_name])
    with pytest.raises(ConfigError, match=r"worker\.session_timeout_seconds.*group\.min\.session\.timeout\.ms \(6 s"):
        poll_often(source)
    source.close()


def poll_often(source: GroupSource) -> None:
    for _ in range(100):
        source.poll(0.2)


def test_a_member_that_came_back_under_another_id_owns_its_partitions_anew(
    broker: Any, topic_name: str, create_topic: Any
) -> None:
    # kafka-python calls no listener when a membership ends while a rebalance is under way and the new member gets the
    # same partitions. Here the rebalance is one that the client believes to be under way.
    create_topic(topic_name, partitions=2)
    worker = WorkerSettings(group=topic_name, static_membership=False, session_timeout_seconds=6)
    source = GroupSource(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    both = poll.assigned
    for partition in both:
        source.resume(partition, 0)
    first_id = poll.membership.metadata.member_id
    assert poll.membership.valid
    coordinator = source._consumer._coordinator
    coordinator.rejoining = True
    coordinator.reset_generation()
    for _ in range(100):
        poll = source.poll(0.2)
        if poll.assigned:
            break
    source.close()
    assert poll.membership.metadata.member_id != first_id
    assert (poll.dropped, poll.assigned) == (both, both)


def test_a_position_that_was_deleted_sends_the_partition_back_to_recovery(
    broker: Any, topic_name: str, create_topic: Any
) -> None:
    create_topic(topic_name)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=2)
    for _ in range(50):
        producer.send(topic_name, value=b"x", partition=0)
    producer.close()
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    # Another member had the partition meanwhile, committed, and retention followed; this one does not know it yet.
    (partition,) = poll.assigned
    source.commit({partition: 30})
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(*partition): 20})
    admin.close()
    source.resume(partition, 10)
    while not (poll := source.poll(0.2)).assigned:
        assert not poll.records
    assert (poll.dropped, poll.assigned) == ((partition,), (partition,))
    assert source.committed(partition) == 30
    source.resume(partition, 30)
    while not (poll := source.poll(0.2)).records:
        pass
    assert poll.records[partition][0].offset == 30
    source.close()


def test_a_log_that_was_cut_short_sends_the_partition_back_to_recovery(
    broker: Any, topic_name: str, create_topic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topic(topic_name, partitions=2)
    worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
    source = GroupSource(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))), worker, [topic_name])
    while not (poll := source.poll(0.2)).assigned:
        pass
    for partition in poll.assigned:
        source.resume(partition, 0)
    second = InputPartition(topic_name, 1)

    def truncated(**_: Any) -> Any:
        raise LogTruncationError({TopicPartition(*second): None})

    # The client asks where the log ends when it hears of a new leader, or of a new topic of that name; when it hears of
    # it is a matter of luck, and nothing tells it that the position is of no use.
    with monkeypatch.context() as patched:
        patched.setattr(source._consumer, "poll", truncated)
        poll = source.poll(0.2)
    assert (poll.records, poll.dropped, poll.assigned) == ({}, (second,), (second,))
    source.close()


def test_a_member_that_lost_its_partitions_claims_none_of_them(broker: Any, topic_name: str, create_topic: Any) -> None:
    """Otherwise the leader keeps a partition that should move for it, and nobody gets that partition."""
    create_topic(topic_name, partitions=6)
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    sources = [
        GroupSource(
            consumer_config(settings),
            WorkerSettings(group=topic_name, instance=name, session_timeout_seconds=6, static_membership=False),
            [topic_name],
        )
        for name in ("one", "two")
    ]
    one, two = sources
    stop = threading.Event()

    def keep_polling(source: GroupSource) -> None:
        while not stop.is_set():
            source.poll(0.3)

    threads = [threading.Thread(target=keep_polling, args=[source], daemon=True) for source in sources]
    try:
        while len(one.owned) < 6:
            one.poll(0.2)
        # As after a missed session: the next request finds that the group does not know this member.
        one._consumer._coordinator.reset_generation()
        one._consumer._coordinator.request_rejoin()
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(one.owned) + len(two.owned) != 6 or not two.owned:
            assert time.monotonic() < deadline, f"{sorted(one.owned)} and {sorted(two.owned)} is all that is assigned"
            time.sleep(0.1)
        assert not one.owned & two.owned
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
        for source in sources:
            source.close()
