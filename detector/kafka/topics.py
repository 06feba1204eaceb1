"""The topics of the worker: how each must be, and making it so or saying what is wrong with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import kafka.errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from detector.errors import KafkaUnavailableError
from detector.kafka.client import MAX_BATCH_BYTES, open_admin
from detector.settings import KafkaSettings, TopicSettings

_FOR_EVER_MS = -1
_MAX_LONG = 2**63 - 1
_HOUR_MS = 3_600_000
_PROPAGATION_SECONDS = 4.0
_PROPAGATION_PAUSE_SECONDS = 0.2
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


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as it is.

    Attributes:
        cleanup_policies: ``delete``, ``compact`` or both.
        retention_ms: Records older than this are deleted; -1 keeps them for ever.
        max_message_bytes: Largest batch that is accepted.
        max_ahead_ms: Records whose timestamp is further ahead of the broker's clock than this are refused.
        max_behind_ms: Records whose timestamp is further behind the broker's clock than this are refused.
        timestamp_type: ``CreateTime``, or ``LogAppendTime`` where the broker replaces timestamps by its own.
    """

    name: str
    partitions: int
    cleanup_policies: frozenset[str]
    retention_ms: int
    max_message_bytes: int
    max_ahead_ms: int
    max_behind_ms: int
    timestamp_type: str


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


def ensure_topics(settings: KafkaSettings, wanted: Sequence[TopicSpec], *, create: bool = True) -> dict[str, TopicInfo]:
    """Create the topics that are missing, and verify those that are there.

    Args:
        settings: How to connect.
        wanted: The topics.
        create: Whether to create any.

    Returns:
        Every topic, by name, as it is now.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: a topic is missing and was not to be created, could not be created, or does not fit.
    """
    names = [spec.name for spec in wanted]
    with _admin(settings) as admin:
        there = _partitions(admin, names)
        missing = [spec for spec in wanted if spec.name not in there]
        if missing:
            if not create:
                raise KafkaUnavailableError(_missing_message(missing, settings))
            _create(admin, missing)
        found = _describe(admin, names)
    problems = [problem for spec in wanted for problem in _misfits(spec, found[spec.name])]
    if problems:
        raise KafkaUnavailableError("; ".join(problems))
    return found


def describe_topics(settings: KafkaSettings, names: Sequence[str]) -> dict[str, TopicInfo]:
    """Topics as they are, by name; those that do not exist are left out.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: the cluster cannot be asked, or a right is missing.
    """
    with _admin(settings) as admin:
        there = _partitions(admin, names)
        return _describe(admin, [name for name in names if name in there])


@contextlib.contextmanager
def _admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    try:
        with open_admin(settings) as admin:
            yield admin
    except KafkaError as error:
        raise KafkaUnavailableError(f"the cluster did not answer a question about its topics: {error}") from error


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


def topic_ids(settings: KafkaSettings, names: Sequence[str]) -> dict[str, str]:
    """Ids of topics that exist; one that is deleted and created again under its name gets another.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: the cluster cannot be asked.
    """
    with _admin(settings) as admin:
        return {topic["name"]: str(topic["topic_id"]) for topic in admin.describe_topics(list(names))}


def _partitions(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    found = {}
    for topic in admin.describe_topics(list(names)) if names else []:
        error = kafka_errors.for_code(topic["error_code"])
        if error is kafka_errors.TopicAuthorizationFailedError:
            raise KafkaUnavailableError(
                f"this client may not see the topic {topic['name']!r}, if there is one; grant the right to Describe it"
            )
        if error is not kafka_errors.UnknownTopicOrPartitionError:
            found[topic["name"]] = len(topic["partitions"])
    return found


def _create(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    topics = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication_factor,
            "configs": spec.full_config(),
        }
        for spec in specs
    }
    answer = admin.create_topics(topics, raise_errors=False)
    for result in answer["topics"]:
        error = kafka_errors.for_code(result["error_code"])
        # Another worker may have been quicker; what it created is verified like any other.
        if error in {kafka_errors.NoError, kafka_errors.TopicAlreadyExistsError}:
            continue
        name = result["name"]
        if issubclass(error, kafka_errors.AuthorizationError):
            raise KafkaUnavailableError(
                f"this client may not create the topic {name!r}; grant the right to Create it, or create it yourself "
                "and set topics.create to false"
            )
        raise KafkaUnavailableError(
            f"the topic {name!r} cannot be created: {result.get('error_message') or error.__name__}"
        )
    admin.wait_for_topics(list(topics))


def _describe(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, TopicInfo]:
    if not names:
        return {}
    # Brokers learn of a new topic one after the other. One that does not know it yet gives no settings, as it does when
    # the right to see them is missing.
    deadline = time.monotonic() + _PROPAGATION_SECONDS
    while True:
        partitions = _partitions(admin, names)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        configs = admin.describe_configs(resources, config_filter="all")["topic"]
        late = [name for name in names if name not in partitions or not configs.get(name)]
        if not late or time.monotonic() > deadline:
            break
        time.sleep(_PROPAGATION_PAUSE_SECONDS)
    unknown = [name for name in names if name not in partitions or name not in configs]
    if unknown:
        raise KafkaUnavailableError(
            f"the brokers do not agree on the topics {', '.join(map(repr, unknown))}: some of them do not know these "
            f"after {_PROPAGATION_SECONDS:.0f} s. Try again; if it stays so, look at the brokers' logs"
        )
    return {name: _info(name, partitions[name], configs[name]) for name in names}


def _info(name: str, partitions: int, config: Mapping[str, Mapping[str, Any]]) -> TopicInfo:
    # kafka-python passes over the error and gives no settings when the right is missing.
    if not config:
        raise KafkaUnavailableError(
            f"this client may not see the settings of the topic {name!r}; grant the right to DescribeConfigs on it"
        )
    # Brokers before 3.6 know one limit for both directions.
    both = config.get("message.timestamp.difference.max.ms", {"value": str(_MAX_LONG)})
    return TopicInfo(
        name=name,
        partitions=partitions,
        cleanup_policies=frozenset(config["cleanup.policy"]["value"].split(",")),
        retention_ms=int(config["retention.ms"]["value"]),
        max_message_bytes=int(config["max.message.bytes"]["value"]),
        max_ahead_ms=int(config.get("message.timestamp.after.max.ms", both)["value"]),
        max_behind_ms=int(config.get("message.timestamp.before.max.ms", both)["value"]),
        timestamp_type=config["message.timestamp.type"]["value"],
    )


def _misfits(spec: TopicSpec, found: TopicInfo) -> Iterator[str]:
    if found.partitions < spec.partitions:
        yield (
            f"the topic {spec.name!r} has {found.partitions} partition{'s' * (found.partitions != 1)} and needs "
            f"{spec.partitions}, one for each of the input's; add partitions (kafka-topics.sh --bootstrap-server … "
            f"--alter --topic {spec.name} --partitions {spec.partitions}), or name another topic"
        )
    if found.cleanup_policies != {spec.cleanup_policy}:
        harm = (
            "only the last record of each key is of use"
            if spec.cleanup_policy == "compact"
            else "no record may be lost"
        )
        yield (
            f"the topic {spec.name!r} has cleanup.policy={','.join(sorted(found.cleanup_policies))} and needs "
            f"{spec.cleanup_policy}, since {harm}; change it, or name another topic"
        )
    if found.max_message_bytes < spec.min_message_bytes:
        yield (
            f"the topic {spec.name!r} has max.message.bytes={found.max_message_bytes} and needs at least "
            f"{spec.min_message_bytes}; raise it, or name another topic"
        )


def _missing_message(missing: Sequence[TopicSpec], settings: KafkaSettings) -> str:
    names = ", ".join(repr(spec.name) for spec in missing)
    bootstrap = ",".join(settings.bootstrap_servers)
    commands = "".join(f"\n  {spec.create_command(bootstrap)}" for spec in missing)
    return f"missing topics: {names}, and topics.create is false; set it to true, or create them:{commands}"
