"""Which sample of which series is to be inspected, and with which model, if an event says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detector.alerting.events import Event, InvalidEventError, decode
from detector.alerting.timestamps import parse_time
from detector.cli.common.bundles import BundleSource, registries_of
from detector.errors import ConfigError
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.preflight import check_cluster, check_topics
from detector.settings import KafkaSettings, Settings

_LEAST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class Target:
    """What to look at.

    Attributes:
        series: Name.
        at_ns: Event time of the sample, or None: where the score is highest.
        event: Whose it is, or None.
    """

    series: str
    at_ns: int | None
    event: Event | None = None

    @classmethod
    def of_event(cls, event: Event) -> Target:
        """The sample with the event's greatest score; of silence, which is greatest without one, the last before it."""
        return cls(event.series, parse_time(event.started_at if event.kind == "silence" else event.peak_at), event)


def find_event(events: Iterable[Event], wanted: str, source: str) -> Event:
    """The event of an id, or the last one of an incident's.

    Args:
        events: Where to look.
        wanted: Id of an event or of an incident, or the beginning of one.
        source: Where they come from, for messages.

    Raises:
        ConfigError: there is none, the text is too short, or several begin so.
    """
    if len(wanted) < _LEAST_PREFIX:
        raise ConfigError(f"--event: {wanted!r} is too short; give at least {_LEAST_PREFIX} characters of the id")
    by_event: dict[str, Event] = {}
    by_incident: dict[str, Event] = {}
    for event in events:
        if event.event_id.startswith(wanted):
            by_event[event.event_id] = event
        if event.incident_id.startswith(wanted):
            latest = by_incident.get(event.incident_id)
            if latest is None or event.sequence >= latest.sequence:
                by_incident[event.incident_id] = event
    found = {**by_incident, **by_event}
    if len(found) > 1:
        raise ConfigError(f"--event: {len(found)} events or incidents of {source} begin with {wanted}; give more of it")
    if not found:
        raise ConfigError(
            f"--event: {source} holds no event or incident {wanted}; look at the id, and at its retention"
        )
    return next(iter(found.values()))


def events_of_file(path: Path) -> Iterator[Event]:
    """Events of a JSON Lines file, as ``detector replay --events`` writes it.

    Raises:
        ConfigError: the file cannot be read, or a line is no event.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield decode(line)
                    except InvalidEventError as error:
                        raise ConfigError(f"{path}, line {number}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error


def events_of_topic(kafka: KafkaSettings, topic: str) -> Iterator[Event]:
    """All events that a topic holds; records that are no events are passed over.

    Raises:
        KafkaUnavailableError: the cluster or the topic is missing.
    """
    check_cluster(kafka)
    check_topics(kafka, [topic])
    history = History(consumer_config(kafka))
    try:
        partitions = history.partitions(topic)
        first, end = history.first_offsets(partitions), history.end_offsets(partitions)
        for chunk in history.read({partition: (first[partition], end[partition]) for partition in partitions}):
            for record in chunk[1] if chunk is not None else ():
                try:
                    yield decode(record.value or b"")
                except InvalidEventError:
                    continue
    finally:
        history.close()


def target_of_event(wanted: str, file: Path | None, settings: Settings, config: Path | None) -> Target:
    """The sample that an event is about.

    Args:
        wanted: Id of an event or of an incident, or the beginning of one.
        file: JSON Lines file to look for it; None: the topic of events.
        settings: Name that topic.
        config: Where they come from; without it there is no such topic.

    Raises:
        ConfigError: there is none, or nowhere to look for it.
        KafkaUnavailableError: the cluster or the topic is missing.
    """
    if file is not None:
        return Target.of_event(find_event(events_of_file(file), wanted, str(file)))
    if config is None:
        raise ConfigError("give -c detector.yaml to find the event in its topic, or --events FILE.jsonl")
    topic = settings.topics.events
    return Target.of_event(find_event(events_of_topic(settings.kafka, topic), wanted, f"topic {topic}"))


def settings_of_event(target: Target, settings: Settings, model_given: bool) -> Settings:
    """The settings of the event's stream, with the model that it came from.

    Args:
        target: Of an event.
        settings: Of all streams.
        model_given: Whether the user named a model, which is then used whatever the event came from.

    Raises:
        ConfigError: that model is not at hand.
    """
    event = target.event
    assert event is not None  # noqa: S101 - tells the type checker
    streams = [item for item in settings.streams if item.name == event.stream] or list(settings.streams)[:1]
    if not model_given:
        source = BundleSource(settings.registry)
        bundle = source.open(streams[0].model)
        if bundle.digest != event.model.digest:
            lived = source.by_digest(event.model.digest, registries_of(settings.streams))
            if lived is None:
                raise ConfigError(
                    f"the event came from model {event.model.version} ({event.model.digest[:12]}), and the stream has"
                    f" {bundle.version} ({bundle.digest[:12]}) now; name the bundle of the event with --model, or"
                    " another one to see what that makes of it"
                )
            streams = [streams[0].model_copy(update={"model": lived.path})]
    return settings.model_copy(update={"streams": tuple(streams[:1])})
