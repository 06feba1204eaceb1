"""The real Apache Kafka: what it keeps, what it refuses, how it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detector.broker import LocalBroker
from detector.broker.errors import LocalBrokerError
from detector.errors import ConfigError

pytestmark = pytest.mark.kafka


def send(broker: LocalBroker, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for value in values:
        producer.send(topic, value).get(30)
    producer.close()


def read(broker: LocalBroker, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    found: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline
        for records in consumer.poll(timeout_ms=500).values():
            found += [record.value for record in records]
    consumer.close()
    return found


def test_restart_keeps_address_and_data(
    broker: LocalBroker, topic_name: str, create_topic: Callable[..., None]
) -> None:
    before = (broker.bootstrap, broker.cluster_id)
    create_topic(topic_name)
    send(broker, topic_name, b"one")
    broker.restart()
    assert (broker.bootstrap, broker.cluster_id) == before
    send(broker, topic_name, b"two")
    broker.kill()
    assert not broker.is_running
    broker.start()
    assert read(broker, topic_name, 2) == [b"one", b"two"]


def test_directory_in_use(broker: LocalBroker) -> None:
    with pytest.raises(LocalBrokerError, match=f"another broker is using the data directory {broker.data_dir}"):
        LocalBroker(broker.data_dir).start()


def test_started_twice(broker: LocalBroker) -> None:
    with pytest.raises(RuntimeError, match="the broker is running"):
        broker.start()


def test_taken_port(broker: LocalBroker, tmp_path: Path) -> None:
    port = int(broker.bootstrap.rpartition(":")[2])
    with pytest.raises(ConfigError) as caught, LocalBroker(tmp_path / "d", port):
        pass
    assert str(caught.value) == (
        f"port {port} of 127.0.0.1 is taken by another program; stop it, or choose another port with --port "
        "(0: any free one)"
    )


def test_port_that_somebody_takes_in_the_last_moment(
    broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import detector.broker.local as local

    taken = int(broker.bootstrap.rpartition(":")[2])
    choices = iter([[taken - 1, taken], local.free_ports(2)])
    monkeypatch.setattr(local, "free_ports", lambda count: next(choices))
    with LocalBroker(tmp_path / "d") as other:
        assert other.bootstrap != broker.bootstrap
        assert next(choices, None) is None


def test_setting_that_kafka_refuses(tmp_path: Path) -> None:
    with (
        pytest.raises(LocalBrokerError, match=r"^formatting the data directory .*num\.io\.threads"),
        LocalBroker(tmp_path / "d", server_properties={"num.io.threads": "many"}),
    ):
        pass


def test_data_that_kafka_cannot_use(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path / "d")
    with broker:
        pass
    for checkpoint in (tmp_path / "d" / "kafka" / "__cluster_metadata-0").glob("*.log"):
        checkpoint.write_bytes(os.urandom(4096))
    (tmp_path / "d" / "kafka" / "__cluster_metadata-0" / "quorum-state").write_text("{broken")
    with pytest.raises(LocalBrokerError) as caught:
        broker.start()
    said = str(caught.value)
    assert said.startswith("Apache Kafka ended while it started (exit status ")
    assert said.endswith(f"its log is {broker.log_path}")
    assert not broker.is_running


def test_temporary_data_is_deleted() -> None:
    with LocalBroker() as broker:
        folder = broker.data_dir
        assert (folder / "server.properties").stat().st_mode & 0o777 == 0o600
        assert "Kafka Server started" in broker.log_path.read_text()
    assert not folder.exists()


def test_not_started() -> None:
    broker = LocalBroker()
    for use in ("bootstrap", "data_dir", "cluster_id", "log_path"):
        with pytest.raises(RuntimeError, match="the broker was not started"):
            getattr(broker, use)
    with pytest.raises(RuntimeError, match="the broker was not started"):
        broker.wait()
    broker.stop()


def test_starts_offline_once_cached(broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("requests.request", no_network)
    with LocalBroker(tmp_path / "d") as offline:
        assert offline.is_running
