"""One worker with many series: filled, fed steadily, killed, and started again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.state.shape import TOPIC, WINDOW, Shape

_PATIENCE_SECONDS = 180.0
_CHUNK = 100

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What one worker took.

    Attributes:
        max_resident_series: Its bound.
        start_bytes: Resident memory of the process before the first record.
        filled_bytes: The same with all series known and their windows full.
        store_bytes: The store's own account then.
        file_bytes: Of evicted series then.
        evicted: Series in the file then.
        fill_seconds: From the start of the process until all of it was committed.
        snapshot_bytes: Mean of a snapshot on the state topic, key and framing included.
        state_bytes_per_second: On the state topic while records came steadily.
        steady_rate: Records per second meanwhile, as sent.
        steady_cpu: Share of one core that the worker took meanwhile.
        reloads_per_second: Series that came back from the file meanwhile.
        again_records: Read again after the kill.
        again_seconds: From the assignment of the partition until it was live again.
        live_seconds: From the start of the second process until then: joining the group as well.
        again_bytes: Most memory of the second process until then.
    """

    max_resident_series: int
    start_bytes: int
    filled_bytes: int
    store_bytes: int
    file_bytes: int
    evicted: int
    fill_seconds: float
    snapshot_bytes: float
    state_bytes_per_second: float
    steady_rate: float
    steady_cpu: float
    reloads_per_second: float
    again_records: int
    again_seconds: float
    live_seconds: float
    again_bytes: int


def fill(shape: Shape, bootstrap: str) -> int:
    """Publish a full window of every series; returns the number of records."""
    _send(bootstrap, shape.series_major(WINDOW))
    return WINDOW * shape.series


def measure(
    shape: Shape, bootstrap: str, folder: Path, max_resident_series: int, rate: int, seconds: int, rows: int
) -> Found:
    """Run one worker over what is published, and over ``rate * seconds`` records more from row ``rows`` on.

    Raises:
        RuntimeError: it did not get there.
    """
    name = f"bound-{max_resident_series}"
    end = _end(bootstrap, TOPIC)
    with _process(shape, bootstrap, folder, name, max_resident_series) as worker:
        start = worker.until(lambda _: True)
        began = time.monotonic()
        filled = worker.until(lambda now: now["committed"] >= end)
        fill_seconds = time.monotonic() - began
        # Half of the time for snapshots to come due at an even pace, then half to measure.
        records, half = shape.row_major(rows, rate * seconds), rate * seconds // 2
        _send(bootstrap, islice(records, half), rate)
        middle = worker.until(lambda now: now["committed"] >= end + half)
        before = _end(bootstrap, f"{name}.state")
        sent_seconds = _send(bootstrap, records, rate)
        steady = worker.until(lambda now: now["committed"] >= end + rate * seconds)
        sizes = _sizes(bootstrap, f"{name}.state", before)
        worker.kill()
    killed = time.monotonic()
    with _process(shape, bootstrap, folder, name, max_resident_series) as worker:
        again = worker.until(lambda now: now["live"] == 1)
        live_seconds = time.monotonic() - killed
        if again["series"] != shape.series:
            raise RuntimeError(f"{again['series']} of {shape.series} series came back")
        worker.kill()
    return Found(
        max_resident_series,
        start_bytes=start["rss_bytes"],
        filled_bytes=filled["rss_bytes"],
        store_bytes=filled["store_bytes"],
        file_bytes=filled["file_bytes"],
        evicted=filled["evicted"],
        fill_seconds=fill_seconds,
        snapshot_bytes=sum(sizes) / max(1, len(sizes)),
        state_bytes_per_second=sum(sizes) / sent_seconds,
        steady_rate=(rate * seconds - half) / sent_seconds,
        steady_cpu=(steady["cpu_seconds"] - middle["cpu_seconds"]) / sent_seconds,
        reloads_per_second=(steady["reloads"] - middle["reloads"]) / sent_seconds,
        again_records=int(again["restored_records"]),
        again_seconds=again["restore_seconds"],
        live_seconds=live_seconds,
        again_bytes=again["peak_bytes"],
    )


class _Worker:
    def __init__(self, process: subprocess.Popen[bytes], status: Path) -> None:
        self._process = process
        self._status = status

    def until(self, reached: Callable[[Status], bool]) -> Status:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            now: Status | None = json.loads(self._status.read_text()) if self._status.exists() else None
            if now is not None and reached(now):
                return now
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the worker did not get there; the last it said: {now}")
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def _process(shape: Shape, bootstrap: str, folder: Path, name: str, most: int) -> Iterator[_Worker]:
    status = folder / f"{name}.json"
    status.unlink(missing_ok=True)
    numbers = (most, shape.series, shape.channels, shape.carried_bytes)
    arguments = (bootstrap, name, *map(str, numbers), str(status))
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.state.process", *arguments])
    try:
        yield _Worker(process, status)
    finally:
        process.kill()
        process.wait()


def _send(bootstrap: str, records: Iterable[tuple[int, bytes, bytes]], rate: int | None = None) -> float:
    """Publish, at ``rate`` records a second if one is given; returns how long it took."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, batch_size=256 * 1024)
    started = time.monotonic()
    try:
        for index, (timestamp_ms, key, value) in enumerate(records):
            if rate is not None and index % _CHUNK == 0:
                time.sleep(max(0.0, started + index / rate - time.monotonic()))
            producer.send(TOPIC, value, key, partition=0, timestamp_ms=timestamp_ms)
        producer.flush()
        return time.monotonic() - started
    finally:
        producer.close()


def _end(bootstrap: str, topic: str) -> int:
    with _consumer(bootstrap) as consumer:
        return int(consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)])


def _sizes(bootstrap: str, topic: str, first: int) -> list[int]:
    """Bytes of the snapshots on the state topic from an offset on."""
    place = TopicPartition(topic, 0)
    sizes = []
    with _consumer(bootstrap) as consumer:
        consumer.assign([place])
        consumer.seek(place, first)
        end = consumer.end_offsets([place])[place]
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=500).values():
                sizes += [len(r.key) + len(r.value or b"") for r in records if r.key.startswith(b"s ")]
    return sizes


@contextmanager
def _consumer(bootstrap: str) -> Iterator[KafkaConsumer]:
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        yield consumer
    finally:
        consumer.close()
