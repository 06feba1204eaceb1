"""Topics as they are: created where they are missing, and compared with what they must be."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kafka.errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from detector.errors import KafkaUnavailableError
from detector.kafka.client import open_admin
from detector.kafka.topic_specs import TopicSpec
from detector.settings import KafkaSettings

_MAX_LONG = 2**63 - 1
_PROPAGATION_SECONDS = 4.0
_PROPAGATION_PAUSE_SECONDS = 0.2


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
