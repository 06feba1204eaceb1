"""A `read_committed` reader of everything, at work throughout the run: the one whose view is promised to be right."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from detector.alerting.events import decode
from detector.state import Control, decode_control, parse_key

_POLL_MS = 100
_PATIENCE_SECONDS = 60.0


class Observer:
    """Follows all partitions of some topics from their beginning; a context manager.

    Args:
        bootstrap: Of the cluster, not through the proxy.
        topics: All of one number of partitions.
        partitions: That number.
        events: Which of the topics holds the events.
        state: Which of them holds the state.
    """

    def __init__(self, bootstrap: str, topics: Iterable[str], partitions: int, events: str, state: str) -> None:
        self._bootstrap = bootstrap
        self._partitions = [TopicPartition(topic, n) for topic in topics for n in range(partitions)]
        self._events_topic = events
        self._state_topic = state
        self.records: dict[str, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.controls: dict[int, Control] = {}
        self._open: dict[str, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS)

    def next_offset(self, topic: str, partition: int) -> int:
        """Everything below it was seen."""
        with self._lock:
            return self._positions.get(TopicPartition(topic, partition), 0)

    def open_incidents(self, partitions: Iterable[int]) -> int:
        """How many incidents in these partitions are open, as far as this reader knows."""
        wanted = set(partitions)
        with self._lock:
            return sum(partition in wanted for partition in self._open.values())

    def count(self, topic: str) -> int:
        """Records seen of a topic."""
        with self._lock:
            return sum(len(records) for records in self.records[topic].values())

    def copy(self, topic: str) -> dict[int, list[Any]]:
        """Records of a topic by partition, in offset order."""
        with self._lock:
            return {partition: list(records) for partition, records in sorted(self.records[topic].items())}

    def wait_for(self, ends: Mapping[TopicPartition, int], seconds: float = _PATIENCE_SECONDS) -> None:
        """Until these offsets are reached.

        Raises:
            AssertionError: not in time, or the reader failed.
        """
        deadline = time.monotonic() + seconds
        while behind := {p: end for p, end in ends.items() if self.next_offset(p.topic, p.partition) < end}:
            assert self.error is None, f"the observer failed: {self.error!r}"
            assert time.monotonic() < deadline, f"the observer did not reach {behind}"
            time.sleep(0.05)

    def _run(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap.split(","), group_id=None, enable_auto_commit=False,
            isolation_level="read_committed", auto_offset_reset="none", reconnect_backoff_max_ms=500,
            fetch_max_wait_ms=50, max_poll_records=2000,
        )  # fmt: skip
        try:
            consumer.assign(self._partitions)
            for partition in self._partitions:
                consumer.seek(partition, 0)
            while not self._stop.is_set():
                try:
                    polled = consumer.poll(timeout_ms=_POLL_MS)
                except KafkaError as error:
                    if not error.retriable:
                        raise
                    continue
                with self._lock:
                    for key, records in polled.items():
                        self._take(records)
                        self._positions[key] = records[-1].offset + 1
                self._note_positions(consumer)
        except BaseException as error:
            self.error = error
        finally:
            consumer.close()

    def _note_positions(self, consumer: Any) -> None:
        """They step past transaction markers, which are never delivered."""
        for partition in self._partitions:
            try:
                at = consumer.position(partition, timeout_ms=_POLL_MS)
            except KafkaError as error:
                if not error.retriable:
                    raise
                return
            if at is not None:
                with self._lock:
                    self._positions[partition] = at

    def _take(self, records: Iterable[Any]) -> None:
        for record in records:
            if record.topic == self._state_topic:
                if parse_key(record.key)[1] is None and record.value:
                    self.controls[record.partition] = decode_control(record.value)
                continue
            self.records[record.topic][record.partition].append(record)
            if record.topic == self._events_topic:
                event = decode(record.value)
                if event.event == "closed":
                    self._open.pop(event.incident_id, None)
                else:
                    self._open[event.incident_id] = record.partition


def read_all(bootstrap: str, topic: str, partitions: int) -> dict[int, list[Any]]:
    """A topic from beginning to end by a fresh `read_committed` consumer: a second opinion on what an observer saw."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False,
        isolation_level="read_committed", auto_offset_reset="earliest",
    )  # fmt: skip
    try:
        keys = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(keys)
        ends = consumer.end_offsets(keys)
        consumer.seek_to_beginning(*keys)
        found: dict[int, list[Any]] = {}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(consumer.position(key) < ends[key] for key in keys):
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for key, records in consumer.poll(timeout_ms=_POLL_MS).items():
                found.setdefault(key.partition, []).extend(records)
        return found
    finally:
        consumer.close()
