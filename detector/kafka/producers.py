"""How long producers may take, how they send a record, and how they are closed whatever is under way."""

from __future__ import annotations

import contextlib
from typing import Any

from kafka.errors import KafkaError

from detector.kafka.committer import OutputRecord

_DELIVERY_SHARE = 0.8
_REQUEST_SHARE = 0.6
_SENDER_SECONDS = 1.0


def producer_timeouts(transaction_timeout_seconds: float) -> dict[str, int]:
    """Client timeouts, in milliseconds, that end before the broker's transaction timeout does."""
    delivery_ms = int(transaction_timeout_seconds * 1000 * _DELIVERY_SHARE)
    return {
        "delivery_timeout_ms": delivery_ms,
        "request_timeout_ms": int(delivery_ms * _REQUEST_SHARE),
        "linger_ms": 5,
    }


def send(producer: Any, output: OutputRecord) -> Any:
    """Queue a record; the future of its acknowledgement."""
    return producer.send(
        output.topic,
        value=output.value,
        key=output.key,
        headers=list(output.headers),
        partition=output.partition,
    )


def close_now(producer: Any, sender_seconds: float = _SENDER_SECONDS) -> None:
    """Close a producer, whatever it has under way; nothing more leaves it.

    Args:
        producer: Of kafka-python.
        sender_seconds: How long its sender, which may be waiting for the network, is given to end.

    ``KafkaProducer.close(timeout=0)`` of kafka-python 3.0 first flushes, and gives up, with its sender running, when a
    record is not acknowledged yet: records and even the end of a transaction could still go out later.
    """
    sender = getattr(producer, "_sender", None)
    if sender is not None:
        sender.force_close()
        sender.join(sender_seconds)  # it fails what is not acknowledged, so that there is nothing to flush
    with contextlib.suppress(KafkaError):
        producer.close(timeout=0)
