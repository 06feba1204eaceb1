"""At least once: outputs first, consumed offsets afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import FencedInstanceIdError, KafkaError

from detector.errors import FencedError
from detector.failpoints import Announce, silent
from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.membership import Membership
from detector.kafka.producers import close_now, producer_timeouts, send
from detector.kafka.source import GroupSource
from detector.records.values import InputPartition


class AtLeastOnceCommitter:
    """At least once: outputs are flushed, then offsets are committed.

    A crash in between repeats events, under the same ids.

    Args:
        config: Client configuration from `detector.kafka.client.producer_config`.
        source: Commits the offsets.
        transaction_timeout_seconds: Time for all of a commit's outputs to be acknowledged.
        last: Topics that say how far the worker is. They are written only once everything else is acknowledged: state
            that survives a crash must never be ahead of the events that it stands for.
        announce: Told of each step of a commit (`detector.failpoints`).
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        source: GroupSource,
        transaction_timeout_seconds: float,
        last: Collection[str] = (),
        announce: Announce = silent,
    ) -> None:
        self._producer = KafkaProducer(
            **{**config, **producer_timeouts(transaction_timeout_seconds), "enable_idempotence": True, "acks": "all"}
        )
        self._source = source
        self._timeout_seconds = transaction_timeout_seconds
        self._last = frozenset(last)
        self._announce = announce

    def prepare(self) -> None:
        """Nothing is left open by a process without transactions."""

    def _write(self, outputs: Sequence[OutputRecord]) -> None:
        futures = [send(self._producer, output) for output in outputs]
        self._producer.flush(timeout=self._timeout_seconds)
        for future in futures:
            future.get(timeout=0)

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        """See `Committer.commit`; any failure leaves the outcome unknown, and what was sent may be sent again."""
        if not membership.valid:
            return CommitResult.UNKNOWN
        try:
            self._announce("begun")
            self._write([output for output in outputs if output.topic not in self._last])
            self._announce("some-sent")
            self._write([output for output in outputs if output.topic in self._last])
            self._announce("all-sent")
            self._source.commit(offsets)
            self._announce("committed")
        except FencedInstanceIdError as error:
            raise FencedError("another worker joined the group with the same worker.instance") from error
        except (KafkaError, TimeoutError):
            return CommitResult.UNKNOWN
        return CommitResult.COMMITTED

    def close(self) -> None:
        """Release the producer."""
        close_now(self._producer)
