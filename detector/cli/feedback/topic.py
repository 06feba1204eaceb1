"""Where verdicts come from and go to, the feedback topic or files; and the incidents that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from detector.alerting.events import Event, InvalidEventError, decode
from detector.alerting.summaries import IncidentFold
from detector.errors import ConfigError
from detector.feedback.verdicts import InvalidFeedbackError, Verdict, decode_verdict, encode_verdict
from detector.kafka.client import consumer_config, producer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.kafka.topic_specs import feedback_topic
from detector.kafka.topics import describe_topics, ensure_topics
from detector.kafka.writer import TopicWriter
from detector.settings import Settings

_SHORTEST_PREFIX = 6


def read_topic(settings: Settings) -> list[Verdict]:
    """All verdicts on the feedback topic, in order; what is none is passed over and said on stderr.

    Returns:
        None of them where the topic does not exist yet.

    Raises:
        KafkaUnavailableError: the cluster does not answer.
    """
    check_cluster(settings.kafka)
    topic = settings.topics.feedback
    if topic not in describe_topics(settings.kafka, [topic]):
        return []
    found = []
    for offset, value in _values(settings, topic):
        try:
            found.append(decode_verdict(value))
        except InvalidFeedbackError as error:
            typer.echo(f"note: record {offset} of topic {topic} is passed over: {error}", err=True)
    return found


def read_files(paths: Sequence[Path]) -> list[Verdict]:
    """All verdicts in files of JSON Lines, in order.

    Raises:
        ConfigError: a file cannot be read, or a line is no verdict.
    """
    found = []
    for path in paths:
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    found.append(decode_verdict(line))
                except InvalidFeedbackError as error:
                    raise ConfigError(f"{path}, line {number}: {error}") from error
    return found


def write_topic(settings: Settings, verdict: Verdict) -> None:
    """Put a verdict on the feedback topic, which is created if need be.

    Raises:
        KafkaUnavailableError: the topic is missing and is not to be created, or did not take the record.
    """
    check_cluster(settings.kafka)
    ensure_topics(settings.kafka, [feedback_topic(settings.topics)], create=settings.topics.create)
    writer = TopicWriter(producer_config(settings.kafka), settings.topics.feedback, 1)
    writer.send(0, verdict.subject_id.encode(), encode_verdict(verdict))
    writer.close()


def write_file(path: Path, verdict: Verdict) -> None:
    """Append a verdict to a file of JSON Lines.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write(encode_verdict(verdict) + b"\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error


def event_topic(settings: Settings) -> Iterator[Event]:
    """All events on the events topic; what this release cannot read is passed over.

    Raises:
        KafkaUnavailableError: the cluster does not answer, or there is no such topic.
    """
    check_cluster(settings.kafka)
    check_topics(settings.kafka, [settings.topics.events])
    for _, value in _values(settings, settings.topics.events):
        try:
            yield decode(value)
        except InvalidEventError:
            continue


def event_file(path: Path) -> Iterator[Event]:
    """Events that a replay wrote to a file.

    Raises:
        ConfigError: the file cannot be read, or a line is no event.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    for number, line in enumerate(lines, 1):
        try:
            yield decode(line)
        except InvalidEventError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error


def find_incident(events: Iterator[Event], name: str, where: str) -> Event:
    """The latest event of the incident whose id is, or begins with, ``name``.

    Raises:
        ConfigError: there is none, or several; or the name is too short to tell.
    """
    if len(name) < _SHORTEST_PREFIX:
        raise ConfigError(f"{name!r} is too short for the id of an incident; give {_SHORTEST_PREFIX} digits at least")
    fold = IncidentFold()
    for event in events:
        if event.incident_id.startswith(name):
            fold.add(event)
    found = fold.latest()
    if not found:
        raise ConfigError(f"{where} has no incident {name}; 'detector replay' lists those that history leads to")
    if len(found) > 1:
        ids = ", ".join(event.incident_id for event in found[:5])
        raise ConfigError(f"{where} has {len(found)} incidents that begin with {name}: {ids}; give more of the id")
    return found[0]


def _values(settings: Settings, topic: str) -> Iterator[tuple[int, bytes]]:
    history = History(consumer_config(settings.kafka))
    try:
        partitions = history.partitions(topic)
        first, end = history.first_offsets(partitions), history.end_offsets(partitions)
        for chunk in history.read({partition: (first[partition], end[partition]) for partition in partitions}):
            for record in () if chunk is None else chunk[1]:
                yield record.offset, record.value or b""
    finally:
        history.close()
