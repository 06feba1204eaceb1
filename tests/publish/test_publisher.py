"""The publisher against a producer that misbehaves on purpose, with a clock of its own."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import InvalidTimestampError, KafkaTimeoutError, MessageSizeTooLargeError

from detector.errors import KafkaUnavailableError
from detector.kafka.pacing import AtRate, AtSpeed, Unpaced
from detector.kafka.publishing import Outgoing, Publisher
from detector.settings import KafkaSettings


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class FakeFuture:
    def __init__(self, producer: FakeProducer, number: int) -> None:
        self._producer = producer
        self._number = number
        self.is_done = False
        self.exception: Exception | None = None

    def complete(self) -> None:
        self.is_done = True
        self.exception = self._producer.failures.get(self._number)

    def succeeded(self) -> bool:
        return self.is_done and self.exception is None

    def failed(self) -> bool:
        return self.is_done and self.exception is not None

    def get(self, timeout: float) -> None:
        if not self._producer.silent:
            self.complete()
        if self.exception is not None:
            raise self.exception
        if not self.is_done:
            raise KafkaTimeoutError("no answer")


class FakeProducer:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[tuple[float, str, bytes, bytes, int]] = []
        self.futures: list[FakeFuture] = []
        self.failures: dict[int, Exception] = {}
        self.refuses: Exception | None = None
        self.silent = False
        self.interrupt_at: int | None = None
        self.config: dict[str, Any] = {}
        self.closed = False

    def __call__(self, **config: Any) -> FakeProducer:
        self.config = config
        return self

    def send(self, topic: str, *, key: bytes, value: bytes, timestamp_ms: int) -> FakeFuture:
        if self.refuses is not None:
            raise self.refuses
        if len(self.sent) == self.interrupt_at:
            raise KeyboardInterrupt
        self.sent.append((self.clock(), topic, key, value, timestamp_ms))
        self.futures.append(FakeFuture(self, len(self.futures)))
        return self.futures[-1]

    def outstanding(self) -> int:
        return sum(not future.is_done for future in self.futures)

    def flush(self, timeout: float) -> None:
        for future in self.futures:
            if not self.silent:
                future.complete()

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def producer(clock: Clock) -> FakeProducer:
    return FakeProducer(clock)


@pytest.fixture
def publisher(clock: Clock, producer: FakeProducer) -> Publisher:
    return Publisher(KafkaSettings(), "t", clock, clock.sleep, producer)


def records(count: int, step_ns: int = 1_000_000_000) -> list[Outgoing]:
    return [Outgoing(10**18 + index * step_ns, b"k", str(index).encode()) for index in range(count)]


def ignore(_done: int) -> None:
    return None


def test_records_go_out_in_order_with_key_and_time(publisher: Publisher, producer: FakeProducer) -> None:
    progress: list[int] = []
    publisher.publish(records(3), Unpaced(), progress.append)
    assert producer.sent == [
        (50.0, "t", b"k", b"0", 10**12),
        (50.0, "t", b"k", b"1", 10**12 + 1000),
        (50.0, "t", b"k", b"2", 10**12 + 2000),
    ]
    assert publisher.acknowledged == progress[-1] == 3
    assert (producer.config["enable_idempotence"], producer.config["acks"]) == (True, "all")


def test_pacing_by_rate_and_by_speed(publisher: Publisher, producer: FakeProducer) -> None:
    publisher.publish(records(5), AtRate(2.0), ignore)
    publisher.publish(records(3, step_ns=30 * 10**9), AtSpeed(10**18, 60.0), ignore)
    times = [time for time, *_ in producer.sent]
    assert times == pytest.approx([50.0, 50.5, 51.0, 51.5, 52.0, 52.0, 52.5, 53.0])


def test_memory_is_bounded(publisher: Publisher, producer: FakeProducer) -> None:
    most = 0

    def watched() -> Any:
        nonlocal most
        for record in records(25_000):
            most = max(most, len(publisher._outstanding))
            yield record

    publisher.publish(watched(), Unpaced(), ignore)
    assert most < 20_000
    assert publisher.acknowledged == 25_000


def test_a_refused_record_stops_and_says_how_far_it_came(publisher: Publisher, producer: FakeProducer) -> None:
    producer.failures[700] = InvalidTimestampError("out of range")
    with pytest.raises(KafkaUnavailableError) as error:
        publisher.publish(records(2000), Unpaced(), ignore)
    text = str(error.value)
    assert text.startswith("the topic 't' did not take a record (InvalidTimestampError: ")
    assert text.endswith("; 700 before it were acknowledged")


def test_a_record_that_the_client_refuses(publisher: Publisher, producer: FakeProducer) -> None:
    producer.refuses = MessageSizeTooLargeError("too large")
    with pytest.raises(
        KafkaUnavailableError, match=r"did not take a record \(MessageSizeTooLargeError: .*; 0 before it"
    ):
        publisher.publish(records(1), Unpaced(), ignore)


def test_a_broker_that_falls_silent(publisher: Publisher, producer: FakeProducer) -> None:
    producer.silent = True
    with pytest.raises(KafkaUnavailableError, match="did not take a record"):
        publisher.publish(records(3), Unpaced(), ignore)


def test_a_failure_is_noticed_while_waiting(publisher: Publisher, producer: FakeProducer, clock: Clock) -> None:
    producer.failures[0] = InvalidTimestampError("out of range")

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        producer.flush(0)

    slow = Publisher(KafkaSettings(), "t", clock, sleep, producer)
    with pytest.raises(KafkaUnavailableError, match="InvalidTimestampError"):
        slow.publish(records(2), AtRate(0.001), ignore)
    assert clock.now < 51.0
    assert len(producer.sent) == 1


def test_an_interruption_counts_what_the_broker_has(publisher: Publisher, producer: FakeProducer) -> None:
    producer.interrupt_at = 1200
    producer.failures[1100] = InvalidTimestampError("out of range")
    with pytest.raises(KeyboardInterrupt):
        publisher.publish(records(2000), Unpaced(), ignore)
    assert publisher.settle(1.0) == 1199
    publisher.close()
    assert producer.closed
