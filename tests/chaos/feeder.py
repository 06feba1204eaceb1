"""The producer: publishes the workload gradually while the workers run, with pauses and bursts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.chaos.workload import Input

_TICK_SECONDS = 0.05
_CYCLE_SECONDS = 24.0
_PAUSED_AT, _BURST_AT, _BURST_FACTOR = 16.0, 20.0, 5.0
# Over a whole cycle the rate is as set.
_USUAL_FACTOR = _CYCLE_SECONDS / (_PAUSED_AT + _BURST_FACTOR * (_CYCLE_SECONDS - _BURST_AT))
_PATIENCE_SECONDS = 120.0


class Feeder:
    """Publishes from a thread of its own; a context manager.

    Most of the time records come at the set rate. Then for four seconds none come, and for four seconds five times as
    many, so that workers are met idle, nearly caught up, and behind.

    Args:
        bootstrap: Of the cluster, not through the proxy.
        topic: Where to.
        inputs: What, without end.
        per_second: Rate at first.
        steady: No pauses and no bursts.
    """

    def __init__(
        self, bootstrap: str, topic: str, inputs: Iterator[Input], per_second: float, *, steady: bool = False
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._inputs = inputs
        self._steady = steady
        self.per_second = per_second
        self.sent = 0
        self.limit: int | None = None
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.finish(self.sent)

    def finish(self, total: int) -> int:
        """Publish up to ``total`` records without delay, wait until all are acknowledged, and stop.

        Returns:
            How many were published in all.

        Raises:
            AssertionError: the cluster did not take them.
        """
        self.limit = total
        self.per_second = 1e9
        while self._thread.is_alive() and self.sent < total and self.error is None:
            time.sleep(_TICK_SECONDS)
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS)
        assert self.error is None, f"the producer failed: {self.error!r}"
        return self.sent

    def _run(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap.split(","), acks="all", enable_idempotence=True, linger_ms=5,
            delivery_timeout_ms=int(_PATIENCE_SECONDS * 1000), reconnect_backoff_max_ms=500,
        )  # fmt: skip
        failures: list[BaseException] = []
        try:
            began = last = time.monotonic()
            owed = 0.0
            while not self._stop.is_set() and not failures:
                now = time.monotonic()
                owed = min(owed + self.per_second * self._factor(now - began) * (now - last), 2000.0)
                last = now
                while owed >= 1 and (self.limit is None or self.sent < self.limit):
                    self._send(producer, next(self._inputs), failures)
                    owed -= 1
                self._stop.wait(_TICK_SECONDS)
            producer.flush(timeout=_PATIENCE_SECONDS)
        except BaseException as error:
            self.error = error
        finally:
            self.error = self.error or (failures[0] if failures else None)
            producer.close(timeout=5)

    def _factor(self, seconds: float) -> float:
        if self._steady or self.per_second > 1e8:
            return 1.0
        at = seconds % _CYCLE_SECONDS
        return _USUAL_FACTOR * (1.0 if at < _PAUSED_AT else 0.0 if at < _BURST_AT else _BURST_FACTOR)

    def _send(self, producer: Any, record: Input, failures: list[BaseException]) -> None:
        while True:
            try:
                future = producer.send(
                    self._topic, key=record.key, value=record.value, partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )  # fmt: skip
            except KafkaError as error:  # no metadata or no room while the broker is away
                if self._stop.is_set() or not error.retriable:
                    raise
                time.sleep(_TICK_SECONDS)
                continue
            future.add_errback(failures.append)
            self.sent += 1
            return
