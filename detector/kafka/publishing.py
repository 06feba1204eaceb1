"""Writes records to a topic: in order, once, and knowing how many the broker has."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from detector.errors import KafkaUnavailableError
from detector.kafka.client import producer_config
from detector.kafka.pacing import Pace
from detector.kafka.topic_specs import history_topic
from detector.kafka.topics import TopicInfo, describe_topics, ensure_topics
from detector.settings import KafkaSettings

_NS_PER_MS = 1_000_000
# kafka-python has no limit of its own: without one, a file larger than memory would be read into it.
_MAX_OUTSTANDING = 20_000
_PROGRESS_RECORDS = 500
_STEP_SECONDS = 0.2
_DELIVERY_SECONDS = 30.0
_PRODUCER = {
    "linger_ms": 5,
    "batch_size": 128 * 1024,
    "delivery_timeout_ms": int(_DELIVERY_SECONDS * 1000),
    "request_timeout_ms": 15_000,
    "max_block_ms": 15_000,
}


class Outgoing(NamedTuple):
    """A record to publish."""

    time_ns: int
    key: bytes
    value: bytes


def topic_for_history(settings: KafkaSettings, name: str, partitions: int | None, *, create: bool) -> TopicInfo:
    """The topic to publish to, created if it is missing and that is wanted.

    A new topic keeps its records for ever and takes timestamps of any time.

    Args:
        settings: How to connect.
        name: Of the topic.
        partitions: Of a new topic, by default 1; an existing one must have as many if given.
        create: Whether it may be created.

    Raises:
        KafkaUnavailableError: missing and not to be created, or with another number of partitions.
    """
    found = describe_topics(settings, [name])
    if name not in found:
        if not create:
            raise KafkaUnavailableError(
                f"the topic {name!r} does not exist; check the name, or add --create (and --partitions for several)"
            )
        found = ensure_topics(settings, [history_topic(name, partitions or 1)])
    topic = found[name]
    if partitions is not None and topic.partitions != partitions:
        raise KafkaUnavailableError(
            f"the topic {name!r} exists with {topic.partitions} partition{'s' * (topic.partitions != 1)}, not "
            f"{partitions}; leave --partitions out, or name another topic"
        )
    return topic


class Publisher:
    """Sends records with an idempotent producer: none is lost, repeated or out of its series' order.

    Args:
        settings: How to connect.
        topic: Where to; must exist.
        monotonic: Clock that paces.
        sleep: Waits for so many seconds.
        make_producer: Replaced by tests that inject faults.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: the cluster cannot be reached.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        make_producer: Callable[..., Any] = KafkaProducer,
    ) -> None:
        self._topic = topic
        self._monotonic = monotonic
        self._sleep = sleep
        self._outstanding: deque[Any] = deque()
        self._acknowledged = 0
        config: Mapping[str, Any] = {**producer_config(settings), **_PRODUCER}
        try:
            self._producer = make_producer(**config)
        except KafkaError as error:
            raise KafkaUnavailableError(f"cannot use the Kafka cluster: {error}") from error

    @property
    def acknowledged(self) -> int:
        """Records that the broker is known to have."""
        return self._acknowledged

    def publish(self, records: Iterable[Outgoing], pace: Pace, progress: Callable[[int], None]) -> None:
        """Send all records, and return once the broker has them.

        Args:
            records: In the order in which to send them.
            pace: When each is due.
            progress: Called now and then with the number of acknowledged records.

        Raises:
            KafkaUnavailableError: the broker did not take a record; records before it may be there.
        """
        started = self._monotonic()
        for index, record in enumerate(records):
            wait = started + pace.due_seconds(index, record.time_ns) - self._monotonic()
            while wait > 0:
                # In small steps, so that a broker that went away is noticed and the bar moves.
                self._collect()
                progress(self._acknowledged)
                self._sleep(min(wait, _STEP_SECONDS))
                wait = started + pace.due_seconds(index, record.time_ns) - self._monotonic()
            self._send(record)
            if index % _PROGRESS_RECORDS == 0:
                self._collect()
                progress(self._acknowledged)
            while len(self._outstanding) >= _MAX_OUTSTANDING:
                self._wait_for_oldest()
                progress(self._acknowledged)
        while self._outstanding:
            self._wait_for_oldest()
        progress(self._acknowledged)

    def settle(self, timeout_seconds: float) -> int:
        """After an interruption: wait for what is under way, and say how many records the broker has."""
        with contextlib.suppress(KafkaError):
            self._producer.flush(timeout=timeout_seconds)
        for future in self._outstanding:
            self._acknowledged += future.succeeded()
        self._outstanding.clear()
        return self._acknowledged

    def close(self) -> None:
        """Release the producer; what was not acknowledged is dropped."""
        self._producer.close(timeout=0)

    def _send(self, record: Outgoing) -> None:
        try:
            future = self._producer.send(
                self._topic, key=record.key, value=record.value, timestamp_ms=record.time_ns // _NS_PER_MS
            )
        except KafkaError as error:
            raise self._refused(error) from error
        self._outstanding.append(future)

    def _wait_for_oldest(self) -> None:
        with contextlib.suppress(KafkaError):  # _collect looks at the outcome
            self._outstanding[0].get(timeout=2 * _DELIVERY_SECONDS)
        if not self._outstanding[0].is_done:
            raise self._refused(TimeoutError("no answer"))
        self._collect()

    def _collect(self) -> None:
        """Count what is acknowledged, in order."""
        outstanding = self._outstanding
        while outstanding and outstanding[0].is_done:
            future = outstanding.popleft()
            if future.failed():
                raise self._refused(future.exception) from future.exception
            self._acknowledged += 1

    def _refused(self, error: BaseException) -> KafkaUnavailableError:
        return KafkaUnavailableError(
            f"the topic {self._topic!r} did not take a record ({type(error).__name__}: {error}); "
            f"{self._acknowledged} before it were acknowledged"
        )
