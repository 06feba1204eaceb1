"""Checks before the work starts: is the cluster there, does it let us in, are the topics there, may we use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import kafka.errors as kafka_errors
from kafka.admin import ACLOperation
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest, MetadataRequest

from detector.errors import KafkaUnavailableError, MissingTopicError
from detector.kafka.probe import BrokerConnection
from detector.kafka.sockets import Clock, ConnectError, close_quietly, connect
from detector.settings import KafkaSettings

T = TypeVar("T")

_RETRY_SECONDS = 0.5
# So often in a row a connection must be closed without a word before that is taken for a wrong setting.
_GUESSES = 3
_ADVERTISED_TIMEOUT_SECONDS = 2.0
_ADVERTISED_PROBES = 3


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """A cluster that can be used.

    Attributes:
        cluster_id: Given once, when the cluster was made; empty for brokers before 0.10.1.
        brokers: ``host:port`` of the live brokers, as they advertise themselves.
    """

    cluster_id: str
    brokers: tuple[str, ...]


def check_cluster(
    settings: KafkaSettings, clock: Clock = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> ClusterInfo:
    """Make sure that the cluster can be used, or say why not.

    A broker that is not there yet is waited for, for ``connect_timeout_seconds``. What waiting cannot mend (TLS, the
    login) is told at once.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: the cluster cannot be used; the message names the address, the reason and the remedy.
    """
    return _ask(settings, lambda connection: _describe(connection, clock), clock, sleep)


def check_topics(
    settings: KafkaSettings,
    read: Sequence[str],
    write: Sequence[str] = (),
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Make sure that topics exist, and that this user may use them.

    Args:
        settings: How to connect.
        read: Topics that will be read.
        write: Topics that will be written.
        clock: Monotonic seconds.
        sleep: Waits for so many seconds.

    Returns:
        Number of partitions of each topic.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        MissingTopicError: topics are missing, and nothing else is wrong; the message names them.
        KafkaUnavailableError: rights are missing, or topics too; the message names all of them.
    """
    names = list(dict.fromkeys([*read, *write]))
    if not names:
        return {}
    request_topics = [MetadataRequest.MetadataRequestTopic(name=name) for name in names]

    def ask(connection: BrokerConnection) -> Any:
        return connection.call(
            MetadataRequest(
                topics=request_topics, allow_auto_topic_creation=False, include_topic_authorized_operations=True
            )
        )

    topics = {topic.name: topic for topic in _ask(settings, ask, clock, sleep).topics}
    who = _user(settings)
    problems = []
    for name in names:
        wanted = [ACLOperation.READ] * (name in read) + [ACLOperation.WRITE] * (name in write)
        problem = _topic_problem(topics[name], wanted, who)
        if problem is not None:
            problems.append(problem)
    if problems:
        missing = sum(_is_missing(topics[name]) for name in names)
        raise (MissingTopicError if missing == len(problems) else KafkaUnavailableError)("; ".join(problems))
    return {name: len(topics[name].partitions) for name in names}


def check_group(
    settings: KafkaSettings,
    group: str,
    transactional_id: str | None = None,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that this user may join a consumer group and, if named, use a transactional id.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: a right is missing; the message names it.
    """
    keys = [(group, CoordinatorType.GROUP, f"the right to Read the consumer group {group!r}")]
    if transactional_id is not None:
        right = f"the rights to Describe and Write the transactional id {transactional_id!r}"
        keys.append((transactional_id, CoordinatorType.TRANSACTION, right))

    def ask(connection: BrokerConnection) -> list[type]:
        found = []
        for key, kind, _ in keys:
            # Version 3 asks for one key, as every broker since 2.0 understands.
            response = connection.call(FindCoordinatorRequest(key=key, key_type=kind.value, max_version=3))
            found.append(kafka_errors.for_code(response.error_code))
        return found

    errors = _ask(settings, ask, clock, sleep)
    lacking = [
        right
        for (_, _, right), error in zip(keys, errors, strict=True)
        if issubclass(error, kafka_errors.AuthorizationError)
    ]
    if lacking:
        raise KafkaUnavailableError(f"{_user(settings)} lacks {' and '.join(lacking)}; grant what is missing")


def _ask(
    settings: KafkaSettings,
    ask: Callable[[BrokerConnection], T],
    clock: Clock,
    sleep: Callable[[float], None],
) -> T:
    """Answer of the first bootstrap server that can be used."""
    deadline = clock() + settings.connect_timeout_seconds
    guesses_left = _GUESSES - 1
    while True:
        problems = []
        servers = settings.bootstrap_servers
        for position, address in enumerate(servers):
            # One silent server must not eat up the time of those after it.
            share = (deadline - clock()) / (len(servers) - position)
            try:
                with BrokerConnection(settings, address, clock() + share, clock) as connection:
                    return ask(connection)
            except ConnectError as error:
                problems.append(error)
        worth_a_retry = all(problem.may_pass or (problem.guess and guesses_left > 0) for problem in problems)
        if not worth_a_retry or clock() + _RETRY_SECONDS >= deadline:
            break
        guesses_left -= any(problem.guess for problem in problems)
        sleep(_RETRY_SECONDS)
    if len(problems) == 1:
        raise problems[0]
    raise KafkaUnavailableError("no bootstrap server can be used: " + "; ".join(map(str, problems)))


def _describe(connection: BrokerConnection, clock: Clock) -> ClusterInfo:
    response = connection.call(MetadataRequest(topics=[], allow_auto_topic_creation=False))
    brokers = tuple(f"{broker.host}:{broker.port}" for broker in response.brokers)
    if not brokers:
        raise ConnectError(f"the cluster at {connection.address} has no broker that is ready yet", may_pass=True)
    if connection.address not in brokers:
        _check_advertised(connection.address, brokers, clock)
    return ClusterInfo(response.cluster_id or "", brokers)


def _check_advertised(address: str, brokers: Sequence[str], clock: Clock) -> None:
    """One of the brokers must be reachable as it advertises itself; some may be down in a cluster that works."""
    problems = []
    for broker in brokers[:_ADVERTISED_PROBES]:
        try:
            close_quietly(connect(broker, clock() + _ADVERTISED_TIMEOUT_SECONDS, clock))
        except ConnectError as error:
            problems.append(str(error))
        else:
            return
    raise ConnectError(
        f"the cluster at {address} answers, but it advertises brokers that cannot be reached from here: "
        f"{'; '.join(problems)}. Correct advertised.listeners of the brokers",
        may_pass=True,
    )


def _is_missing(topic: Any) -> bool:
    return kafka_errors.for_code(topic.error_code) is kafka_errors.UnknownTopicOrPartitionError


def _topic_problem(topic: Any, wanted: Sequence[ACLOperation], who: str) -> str | None:
    rights = " and ".join(operation.name.capitalize() for operation in wanted)
    error = kafka_errors.for_code(topic.error_code)
    if error is kafka_errors.TopicAuthorizationFailedError:
        return (
            f"{who} may not see the topic {topic.name!r}, if there is one; grant the rights Describe and {rights} on it"
        )
    if _is_missing(topic):
        return f"the topic {topic.name!r} does not exist on the cluster; check its name, or create it"
    if error is kafka_errors.InvalidTopicError:
        return f"{topic.name!r} is no valid name of a topic; correct it"
    granted = topic.authorized_operations
    # Whoever sees a topic may describe it: an answer without that right comes from a broker before 2.3, which does not
    # say.
    says = isinstance(granted, set) and ACLOperation.DESCRIBE.value in granted
    lacking = [operation for operation in wanted if says and operation.value not in granted]
    if lacking:
        missing = " and ".join(operation.name.capitalize() for operation in lacking)
        return f"{who} lacks the right to {missing} the topic {topic.name!r}; grant it"
    return None


def _user(settings: KafkaSettings) -> str:
    if settings.sasl is not None and settings.sasl.username is not None:
        return f"the user {settings.sasl.username!r}"
    if settings.tls.cert_file is not None:
        return f"the owner of the certificate {settings.tls.cert_file}"
    return "this client"
