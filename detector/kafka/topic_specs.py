"""The topics of the worker: how each must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from detector.kafka.client import MAX_BATCH_BYTES
from detector.settings import TopicSettings

_FOR_EVER_MS = -1
_MAX_LONG = 2**63 - 1
_HOUR_MS = 3_600_000
_STATE_SEGMENT_BYTES = 64 * 1024 * 1024

CleanupPolicy = Literal["delete", "compact"]


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must be.

    Attributes:
        partitions: At least so many; exactly so many when it is created.
        config: Of a topic that is created, besides the attributes below.
        cleanup_policy: What an existing topic must have, too.
        min_message_bytes: Largest batch that an existing topic must accept; 0 leaves it to the cluster.
        replication_factor: Of a topic that is created; -1 leaves it to the cluster.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cleanup_policy: CleanupPolicy = "delete"
    min_message_bytes: int = 0
    replication_factor: int = -1

    def full_config(self) -> dict[str, str]:
        """All that a topic is created with."""
        size = {"max.message.bytes": str(self.min_message_bytes)} if self.min_message_bytes else {}
        return {"cleanup.policy": self.cleanup_policy, **size, **self.config}

    def create_command(self, bootstrap: str) -> str:
        """Command line with Kafka's own tool, for those who may not let us create topics."""
        options = "".join(f" --config {key}={value}" for key, value in self.full_config().items())
        if self.replication_factor != -1:
            options = f" --replication-factor {self.replication_factor}{options}"
        return (
            f"kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {self.name} "
            f"--partitions {self.partitions}{options}"
        )


def events_topic(settings: TopicSettings, partitions: int) -> TopicSpec:
    """Where incidents are reported; keyed by series."""
    return _kept_topic(settings, settings.events, partitions)


def dead_letters_topic(settings: TopicSettings, partitions: int) -> TopicSpec:
    """Where invalid records go, whole."""
    return _kept_topic(settings, settings.dead_letters, partitions)


def epochs_topic(settings: TopicSettings, partitions: int) -> TopicSpec:
    """Where it is noted what took effect from which offset on."""
    return _kept_topic(settings, settings.epochs, partitions)


def feedback_topic(settings: TopicSettings) -> TopicSpec:
    """What people say about incidents; a single partition, so that the order of verdicts is known."""
    return _kept_topic(settings, settings.feedback, 1)


def state_topic(settings: TopicSettings, partitions: int) -> TopicSpec:
    """Where the state of the series is kept: the last snapshot of each key counts."""
    return TopicSpec(
        name=settings.state,
        partitions=partitions,
        config={
            # A restart reads the topic from its beginning: compact early, and only closed segments can be.
            "min.cleanable.dirty.ratio": "0.1",
            "segment.ms": str(_HOUR_MS),
            "segment.bytes": str(_STATE_SEGMENT_BYTES),
        },
        cleanup_policy="compact",
        min_message_bytes=MAX_BATCH_BYTES,
        replication_factor=settings.replication_factor,
    )


def history_topic(name: str, partitions: int, replication_factor: int = -1) -> TopicSpec:
    """An input topic for history: kept for ever, and timestamps are taken whatever they are.

    By default brokers delete by record timestamp, history within minutes, and refuse timestamps an hour ahead.
    """
    return TopicSpec(
        name=name,
        partitions=partitions,
        config={"retention.ms": str(_FOR_EVER_MS), "message.timestamp.after.max.ms": str(_MAX_LONG)},
        replication_factor=replication_factor,
    )


def _kept_topic(settings: TopicSettings, name: str, partitions: int) -> TopicSpec:
    seconds = settings.retention_seconds
    retention_ms = _FOR_EVER_MS if seconds < 0 else int(seconds * 1000)
    return TopicSpec(
        name=name,
        partitions=partitions,
        config={"retention.ms": str(retention_ms)},
        min_message_bytes=MAX_BATCH_BYTES,
        replication_factor=settings.replication_factor,
    )
