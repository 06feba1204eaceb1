"""``detector publish`` as people run it, against the real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kafka import KafkaConsumer, TopicPartition

from detector.broker import LocalBroker
from detector.kafka.topics import describe_topics
from detector.settings import KafkaSettings
from tests.support.commands import Command, Ended

pytestmark = pytest.mark.kafka
NS = 1_000_000_000
YEAR_2000 = 946_684_800
CreateTopic = Callable[..., None]
Run = Callable[..., Ended]


@pytest.fixture
def run(command: Command) -> Run:
    """Runs the command: exit code, standard output, standard error."""
    return partial(command, "publish")


@pytest.fixture
def publish(run: Run, broker: LocalBroker, topic_name: str) -> Run:
    def command(*arguments: object) -> tuple[int, str, str]:
        return run(*arguments, "--topic", topic_name, "--bootstrap-server", broker.bootstrap)

    return command


def write(path: Path, seconds: list[float], **channels: list[Any]) -> Path:
    times = pa.array([int(second * NS) for second in seconds], pa.timestamp("ns"))
    pq.write_table(pa.table({"timestamp": times, **channels}), path)
    return path


def read(broker: LocalBroker, topic: str) -> list[Any]:
    """All records, by partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found.extend(records)
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def test_records_arrive_keyed_timed_and_in_order(
    publish: Run, broker: LocalBroker, topic_name: str, tmp_path: Path
) -> None:
    one = write(
        tmp_path / "one.parquet", [YEAR_2000, YEAR_2000 + 2, YEAR_2000 + 4], cpu=[0.1, None, 0.3], label=[0, 1, 0]
    )
    two = tmp_path / "two.csv"
    two.write_text(f"ts,cpu\n{YEAR_2000 + 1},1\n{YEAR_2000 + 3.5},2\n")
    code, out, err = publish(one, two, "--create")
    assert (code, err) == (0, "")
    assert out.startswith(
        f"published 5 records of 2 series to '{topic_name}', 2000-01-01T00:00:00Z to 2000-01-01T00:00:04Z, in "
    )
    assert [(r.key, r.timestamp - YEAR_2000 * 1000, json.loads(r.value)) for r in read(broker, topic_name)] == [
        (b"one", 0, {"cpu": 0.1}),
        (b"two", 1000, {"cpu": 1.0}),
        (b"one", 2000, {"cpu": None}),
        (b"two", 3500, {"cpu": 2.0}),
        (b"one", 4000, {"cpu": 0.3}),
    ]


def test_a_created_topic_keeps_the_year_2000_and_the_future(
    publish: Run, broker: LocalBroker, topic_name: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.parquet", [YEAR_2000, YEAR_2000 * 4.0], v=[1.0, 2.0])
    assert publish(path, "--create", "--partitions", 3)[0] == 0
    info = describe_topics(KafkaSettings(bootstrap_servers=(broker.bootstrap,)), [topic_name])[topic_name]
    assert (info.partitions, info.retention_ms, info.max_ahead_ms) == (3, -1, 2**63 - 1)
    assert sorted(r.timestamp for r in read(broker, topic_name)) == [YEAR_2000 * 1000, YEAR_2000 * 4000]


def test_old_times_in_a_topic_of_default_retention_are_refused(
    publish: Run, broker: LocalBroker, topic_name: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    create_topic(topic_name)
    path = write(tmp_path / "x.parquet", [YEAR_2000, YEAR_2000 + 1], v=[1.0, 2.0])
    code, out, err = publish(path)
    assert (code, out) == (3, "")
    assert f"the topic '{topic_name}' keeps records for 7 days, and these go back to 2000-01-01T00:00:00Z" in err
    assert f"kafka-configs.sh --bootstrap-server {broker.bootstrap} --alter" in err
    assert read(broker, topic_name) == []
    assert publish(path, "--start-at", "now")[0] == 0
    assert len(read(broker, topic_name)) == 2


def test_times_ahead_in_a_topic_of_default_limits_are_refused(
    publish: Run, broker: LocalBroker, topic_name: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    create_topic(topic_name)
    path = write(tmp_path / "x.parquet", [YEAR_2000, YEAR_2000 + 2 * 3600], v=[1.0, 2.0])
    code, _, err = publish(path, "--start-at", "now")
    assert code == 3
    assert "refuses times more than 1:00:00 ahead of the clock" in err
    assert read(broker, topic_name) == []


def test_a_topic_that_is_not_there(publish: Run, topic_name: str, tmp_path: Path) -> None:
    code, _, err = publish(write(tmp_path / "x.parquet", [YEAR_2000], v=[1.0]))
    assert code == 3
    assert f"the topic '{topic_name}' does not exist; check the name, or add --create" in err


def test_another_number_of_partitions(publish: Run, topic_name: str, create_topic: CreateTopic, tmp_path: Path) -> None:
    create_topic(topic_name)
    code, _, err = publish(write(tmp_path / "x.parquet", [YEAR_2000], v=[1.0]), "--create", "--partitions", 2)
    assert code == 3
    assert f"the topic '{topic_name}' exists with 1 partition, not 2; leave --partitions out" in err


def test_one_series_stays_in_one_partition(publish: Run, broker: LocalBroker, topic_name: str, tmp_path: Path) -> None:
    count = 3000
    series = [f"host-{index % 7}" for index in range(count)]
    path = write(
        tmp_path / "x.parquet", (YEAR_2000 + np.arange(count)).tolist(), v=list(map(float, range(count))), host=series
    )
    code, out, _ = publish(path, "--create", "--partitions", 4, "--series-column", "host")
    assert code == 0
    assert f"published {count:,} records of 7 series" in out
    records = read(broker, topic_name)
    assert len(records) == count
    partition_of = {(record.key, record.partition) for record in records}
    assert len(partition_of) == 7
    for key, _ in partition_of:
        values = [json.loads(record.value)["v"] for record in records if record.key == key]
        assert values == [float(index) for index in range(count) if series[index].encode() == key]


def test_times_finer_than_milliseconds_are_pointed_out(publish: Run, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,v\n2000-01-01T00:00:00.0001Z,1\n2000-01-01T00:00:00.001Z,2\n")
    code, _, err = publish(tmp_path / "x.csv", "--create")
    assert code == 0
    assert "note: 1 times were cut to the millisecond" in err


def test_the_cluster_of_a_configuration_file(run: Run, broker: LocalBroker, topic_name: str, tmp_path: Path) -> None:
    config = tmp_path / "detector.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{broker.bootstrap}'}}\n"
        f"streams: [{{name: s, topic: {topic_name}, model: {tmp_path}/bundle}}]\n"
    )
    path = write(tmp_path / "x.parquet", [YEAR_2000], v=[1.0])
    code, _, err = run(path, "--topic", topic_name, "-c", config, "--create")
    assert (code, err) == (0, "")
    assert len(read(broker, topic_name)) == 1


def test_a_rate_is_kept(publish: Run, broker: LocalBroker, topic_name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [YEAR_2000 + index * 0.001 for index in range(6)], v=[1.0] * 6)
    started = time.monotonic()
    assert publish(path, "--create", "--rate", 5)[0] == 0
    # A lower bound only: the sixth record is due one second after the first.
    assert time.monotonic() - started >= 1.0
    assert len(read(broker, topic_name)) == 6


def interrupted_after(count: int, broker: LocalBroker, topic_name: str, path: Path, *options: str) -> list[Any]:
    """The records of a ``publish`` that got Ctrl-C once there were so many, and which said how many there are."""
    arguments = ["publish", path, "--topic", topic_name, "--bootstrap-server", broker.bootstrap, "--create", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "detector", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
        while not (topic_name in describe_topics(settings, [topic_name]) and len(read(broker, topic_name)) >= count):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    records = read(broker, topic_name)
    assert (process.returncode, out) == (130, "")
    assert err == f"interrupted: {len(records):,} records were acknowledged by '{topic_name}'\n"
    return records


def test_ctrl_c_says_what_was_acknowledged(broker: LocalBroker, topic_name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [float(YEAR_2000 + index) for index in range(1000)], v=[1.0] * 1000)
    assert 0 < len(interrupted_after(1, broker, topic_name, path, "--rate", "20")) < 1000


def test_rows_that_are_repeated_go_on_in_time(broker: LocalBroker, topic_name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", [YEAR_2000, YEAR_2000 + 60, YEAR_2000 + 180], v=[1.0, 2.0, 3.0])
    options = ["--rate", "20", "--repeat", "--compress", "60", "--start-at", "1h"]
    before_ms = time.time_ns() // 1_000_000
    records = interrupted_after(7, broker, topic_name, path, *options)
    assert [json.loads(record.value)["v"] for record in records[:7]] == [1, 2, 3, 1, 2, 3, 1]
    # The usual step is a second now, or a minute and a half before: as much lies between two rounds.
    first_ms = records[0].timestamp
    assert [record.timestamp - first_ms for record in records[:7]] == [0, 1000, 3000, 4500, 5500, 7500, 9000]
    assert before_ms <= first_ms + 3_600_000 <= time.time_ns() // 1_000_000


def test_an_unreachable_cluster(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "x.parquet"
    code, _, err = run(write(config, [YEAR_2000], v=[1.0]), "--topic", "t", "--bootstrap-server", "127.0.0.1:1")
    assert code == 3
    assert "127.0.0.1:1" in err
