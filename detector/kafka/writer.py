"""Plain writing to a topic: no group, no transaction, acknowledged before the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from detector.errors import KafkaUnavailableError
from detector.kafka.errors import answered

_FLUSH_SECONDS = 30.0


class TopicWriter:
    """Writes records to a topic.

    Args:
        config: Client configuration from `detector.kafka.client.producer_config`.
        topic: Topic to write to.
        partitions: How many it has; a record goes to the partition of its input, modulo this.

    Raises:
        KafkaUnavailableError: the cluster does not answer.
    """

    def __init__(self, config: Mapping[str, Any], topic: str, partitions: int) -> None:
        with answered():
            self._producer = KafkaProducer(**{**config, "enable_idempotence": True, "acks": "all", "linger_ms": 20})
        self._topic = topic
        self._partitions = partitions
        self._futures: list[Any] = []

    def send(self, partition: int, key: bytes, value: bytes) -> None:
        """Queue a record."""
        self._futures.append(
            self._producer.send(self._topic, key=key, value=value, partition=partition % self._partitions)
        )

    def close(self) -> None:
        """Wait until all records are acknowledged.

        Raises:
            KafkaUnavailableError: some were not.
        """
        try:
            self._producer.flush(timeout=_FLUSH_SECONDS)
            for future in self._futures:
                future.get(timeout=0)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailableError(f"not every record reached topic {self._topic}: {error}") from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Stop without waiting."""
        self._producer.close(timeout=1)
