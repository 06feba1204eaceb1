"""Input as nobody wants it: floods of garbage, and records as large as the broker takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer

from detector.errors import BadInputLimitError
from tests.worker.support import KEEP, START_MS, Cluster, RunningWorker, kinds, make_settings, series_with_faults

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]
FLOOD = 30_000


def flood(cluster: Cluster) -> None:
    for number in range(FLOOD):
        cluster.producer.send(
            cluster.input, key=b"pump-1", value=b"garbage %d" % number, timestamp_ms=START_MS, partition=number % 2
        )
    cluster.producer.flush()


def test_a_flood_of_garbage_stops_the_worker_and_nothing_of_it_is_committed(
    cluster: Cluster, run_worker: Start
) -> None:
    cluster.send("pump-1", series_with_faults(30, [(10, 15)]))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 30})
    flood(cluster)
    with pytest.raises(BadInputLimitError, match="Nothing of it was committed") as stopped:
        worker.wait_for(lambda: False)
    assert stopped.value.exit_code == 5
    worker.parts.close()
    # What came before the limit was reached may have been committed, the batch that reached it was not.
    before = len(cluster.dead_letters())
    assert before < 1500
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]

    again = run_worker(make_settings(cluster, bad_records={"max_ratio": 1.0, "max_run": 1_000_000}))
    again.wait_committed(cluster, {0: 30 + FLOOD // 2, 1: FLOOD // 2}, seconds=90)
    letters = Counter(letter.value for letter in cluster.dead_letters())
    assert letters == Counter(b"garbage %d" % number for number in range(FLOOD))
    assert again.value("dead_letters_total", stream="pumps") == FLOOD - before


def wide(second: int, size: int, level: float) -> tuple[int, bytes]:
    filler = {f"unused-{number}": "x" * (size // 10) for number in range(10)}
    return START_MS + second * 1000, json.dumps({"a": level, "b": 0.0, **filler}).encode()


def test_records_of_a_megabyte_are_scored_and_those_that_are_invalid_arrive_whole(
    broker: Any, topic_name: str, create_topic: Callable[..., None]
) -> None:
    cluster = Cluster(broker.bootstrap, topic_name)
    limit = 10 * 1024 * 1024
    create_topic(cluster.input, partitions=2, config={**KEEP, "max.message.bytes": str(limit)})
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=limit + 100_000)

    def send(
        timestamp: int, value: bytes, key: bytes = b"pump-1", headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        producer.send(
            cluster.input, key=key, value=value, partition=0, timestamp_ms=timestamp, headers=headers or []
        ).get(30)

    for second in range(20):
        send(*wide(second, 1_000_000, 3.0 if 8 <= second < 12 else 0.1))
    largest = b"{" + b"x" * (limit - 1000)
    send(START_MS, largest)  # not JSON, and as large as the topic takes
    send(START_MS, b"{}", key=b"k" * 2_000_000)  # too long for a name
    send(START_MS, b"broken", headers=[("h", b"y" * 3_000_000)])
    for second in range(20, 23):
        send(*wide(second, limit - 20_000, 0.1), headers=[("h", b"z" * 1_000)])
    producer.close()

    running = RunningWorker(make_settings(cluster), make_contexts(cluster))
    try:
        running.wait_committed(cluster, {0: 26}, seconds=90)
    finally:
        running.stop()
        cluster.producer.close()
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]
    whole, key, header = cluster.dead_letters()
    # The largest is cut where a dead letter with its headers would not fit, and described.
    assert whole.value == largest[: len(whole.value)]
    assert len(whole.value) >= 8_900_000
    assert dict(whole.headers)["reconstream-value-bytes"] == str(len(largest)).encode()
    assert (key.key, dict(key.headers)["reconstream-reason"]) == (b"k" * 2_000_000, b"bad_series")
    assert dict(header.headers)["original.h"] == b"y" * 3_000_000
    assert header.value == b"broken"


def make_contexts(cluster: Cluster) -> Callable[[str], Any]:
    from tests.worker.support import make_context

    return lambda cluster_id: {cluster.input: make_context(make_settings(cluster), cluster_id)}
