"""Where the cluster does not answer whoever reads a topic's past, or writes to one: told in words for users."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from detector.errors import KafkaUnavailableError
from detector.kafka.client import consumer_config, producer_config
from detector.kafka.history import History
from detector.kafka.merging import MergedHistory
from detector.kafka.writer import TopicWriter
from detector.records.values import InputPartition
from detector.settings import KafkaSettings

NO_ANSWER = r"the cluster does not answer: .*\. See to its brokers and to the way there, and try again"


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens: taken, so that nobody else begins to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    "open_client",
    [
        lambda settings: History(consumer_config(settings)),
        lambda settings: MergedHistory(consumer_config(settings)),
        lambda settings: TopicWriter(producer_config(settings), "telemetry", 1),
    ],
    ids=["history", "merged", "writer"],
)
def test_a_cluster_that_is_not_there(open_client: Callable[[KafkaSettings], Any], nobody: str) -> None:
    settings = KafkaSettings(bootstrap_servers=(nobody,), connect_timeout_seconds=0.5)
    with pytest.raises(KafkaUnavailableError, match=NO_ANSWER):
        open_client(settings)


@pytest.mark.kafka
@pytest.mark.parametrize("call", ["poll", "position"])
def test_a_cluster_that_falls_silent_while_it_is_read(
    broker: Any, topic_name: str, create_topic: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    create_topic(topic_name)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    producer.send(topic_name, value=b"{}", partition=0)
    producer.flush()
    producer.close()
    history = History(consumer_config(KafkaSettings(bootstrap_servers=(broker.bootstrap,))))
    partition = InputPartition(topic_name, 0)
    try:
        assert [chunk[1][0].value for chunk in history.read({partition: (0, 1)}) if chunk is not None] == [b"{}"]

        def silent(*_: object, **__: object) -> None:
            raise KafkaTimeoutError("no answer in time")

        monkeypatch.setattr(history._consumer, call, silent)
        with pytest.raises(KafkaUnavailableError, match=NO_ANSWER):
            list(history.read({partition: (0, 1)}))
    finally:
        history.close()
