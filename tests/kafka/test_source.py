"""The group source against a real broker."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import KafkaProducer

from detector.kafka.client import consumer_config
from detector.kafka.source import GroupSource
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
