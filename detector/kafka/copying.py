"""Writing a copy of a topic, exactly once over crashes: records and progress commit in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    InvalidProducerEpochError,
    InvalidTxnStateError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RecordListTooLargeError,
)
from kafka.partitioner.default import murmur2

from detector.errors import ConfigError, FencedError, KafkaUnavailableError
from detector.kafka.deadline import BoundedCaller
from detector.kafka.producers import producer_timeouts
from detector.records.values import InputPartition

_TRANSACTION_SECONDS = 60.0
_CALL_TIMEOUT_MS = 30_000
_FENCED = (ProducerFencedError, InvalidProducerEpochError, InvalidTxnStateError)
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


def default_partition(key: bytes, partitions: int) -> int:
    """Where Java's and kafka-python's producers put a record of this key by themselves."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Copied(NamedTuple):
    """A record of the copy.

    Attributes:
        partition: Of ``topic``.
        timestamp: Milliseconds since the epoch; negative where the original has none.
    """

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class CopyWriter:
    """Writes batches in transactions of their own, each with the source offsets that it reaches.

    The offsets belong to a consumer group of the copy's name, which nobody joins. The name is the transactional id too:
    a second process under it fences the first, so two never write the same records.

    Args:
        config: Client configuration from `detector.kafka.client.producer_config`.
        consumer: The same from `detector.kafka.client.consumer_config`.
        name: Of the copy.
        max_record_bytes: Largest record that may come.
        make_producer: Replaced by tests that inject faults.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        consumer: Mapping[str, Any],
        name: str,
        max_record_bytes: int,
        make_producer: Callable[..., Any] = KafkaProducer,
    ) -> None:
        self._name = name
        self._config = {
            **config,
            **producer_timeouts(_TRANSACTION_SECONDS),
            "transactional_id": name,
            "transaction_timeout_ms": int(_TRANSACTION_SECONDS * 1000),
            "acks": "all",
            "linger_ms": 20,
            "max_request_size": max(max_record_bytes, config["max_request_size"]),
        }
        self._consumer_config = {
            **consumer, "group_id": name, "isolation_level": "read_committed", "auto_offset_reset": "none",
        }  # fmt: skip
        self._make_producer = make_producer
        self._producer: Any = None
        self._call = BoundedCaller("copy")

    def open(self) -> None:
        """Fence an earlier process of this name, and end what it left open.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
            FencedError: a later process of this name did the same meanwhile.
        """

        def start() -> None:
            self._producer = self._make_producer(**self._config)
            self._producer.init_transactions()

        self._bounded(start)

    def progress(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, tuple[int, str]]:
        """Where the copy stands: next offset, and the note that was written with it; nothing where it never was.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        consumer = None
        try:
            consumer = KafkaConsumer(**self._consumer_config)
            found = {
                p: consumer.committed(TopicPartition(*p), metadata=True, timeout_ms=_CALL_TIMEOUT_MS)
                for p in partitions
            }
        except KafkaError as error:
            raise KafkaUnavailableError(f"the progress of an earlier copy cannot be read: {error}") from error
        finally:
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=1000)
        return {p: (at.offset, at.metadata) for p, at in found.items() if at is not None and at.offset >= 0}

    def write(self, records: Sequence[Copied], offsets: Mapping[InputPartition, int], note: str) -> None:
        """Commit records together with the source's offsets that they reach.

        Raises:
            KafkaUnavailableError: nothing is known to be committed; to be answered by another run.
            FencedError: another process runs under the same name.
            ConfigError: the topic does not take so large a record.
        """

        def transact() -> None:
            producer = self._producer
            producer.begin_transaction()
            futures = [
                producer.send(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    # The client cannot send a header without a value.
                    headers=[(name, value or b"") for name, value in record.headers],
                    partition=record.partition,
                    timestamp_ms=record.timestamp if record.timestamp >= 0 else None,
                )
                for record in records
            ]
            producer.flush()
            for future in futures:
                future.get(timeout=0)
            producer.send_offsets_to_transaction(
                {TopicPartition(*p): OffsetAndMetadata(offset, note, -1) for p, offset in offsets.items()}, self._name
            )
            producer.commit_transaction()

        self._bounded(transact)

    def _bounded(self, step: Callable[[], None]) -> None:
        try:
            self._call(step, 2 * _TRANSACTION_SECONDS)
        except _FENCED as error:
            raise FencedError(
                f"another process makes the same copy ({self._name}) and took over ({type(error).__name__}); let that "
                "one finish, or stop it and run this again"
            ) from error
        except _TOO_LARGE as error:
            raise ConfigError(
                f"a record is too large for the topic that it is copied to ({error}); raise max.message.bytes of that "
                "topic and run this again: it goes on where it stopped"
            ) from error
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailableError(
                f"the copy was interrupted ({type(error).__name__}: {error}); run this again: it goes on where it "
                "stopped, without repeating a record"
            ) from error

    def close(self) -> None:
        """Release the producer; the broker aborts what is not committed."""
        if self._producer is not None:
            closer = BoundedCaller("copy-close")
            with contextlib.suppress(KafkaError, TimeoutError):
                closer(lambda: self._producer.close(timeout=1), 5.0)
            closer.close()
        self._call.close()
