"""Where a replay goes, besides the summary: files and a topic that are there as a whole in the end, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.cli.replay.opened import Opened
from detector.cli.replay.openmetrics import OpenMetricsSink, step_ms
from detector.cli.replay.sinks import EventFileSink, EventTopicSink, ScoreFileSink
from detector.errors import ConfigError
from detector.kafka.client import producer_config
from detector.kafka.topic_specs import events_topic
from detector.kafka.topics import ensure_topics
from detector.kafka.writer import TopicWriter
from detector.replay import ReplaySink
from detector.settings import Settings

Sink = ScoreFileSink | EventFileSink | EventTopicSink | OpenMetricsSink


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Options of the command that name them, as they were typed; attributes are called as the options are."""

    scores: Path | None
    events: Path | None
    events_topic: str | None
    openmetrics: Path | None
    openmetrics_step: str | None
    openmetrics_prefix: str | None

    def check(self, *, from_files: bool) -> None:
        """Refuse what does not go together.

        Raises:
            ConfigError: something does not; the message says what to leave out or to add.
        """
        if from_files and self.events_topic:
            raise ConfigError(
                "files are replayed without a cluster; leave out --topic, --bootstrap-server and --events-topic"
            )
        if self.openmetrics is None and (self.openmetrics_step is not None or self.openmetrics_prefix is not None):
            raise ConfigError(
                "--openmetrics-step and --openmetrics-prefix are about the file of --openmetrics; name that as well"
            )


class Outputs:
    """The sinks of a replay that write something."""

    def __init__(self) -> None:
        self._sinks: list[Sink] = []

    def open(self, wanted: Destinations, opened: Opened, settings: Settings, *, from_files: bool) -> list[ReplaySink]:
        """Begin them all.

        Args:
            wanted: Which.
            opened: What is replayed.
            settings: Of the replay.
            from_files: Whether files are replayed rather than topics.

        Raises:
            ConfigError: a file cannot be created there.
            KafkaUnavailableError: the topic cannot be created.
        """
        if wanted.scores is not None:
            self._sinks.append(ScoreFileSink(wanted.scores))
        if wanted.events is not None:
            self._sinks.append(EventFileSink(wanted.events))
        if wanted.openmetrics is not None:
            self._sinks.append(_openmetrics(wanted.openmetrics, wanted, opened, settings, from_files=from_files))
        if wanted.events_topic is not None:
            self._sinks.append(EventTopicSink(_topic_writer(settings, wanted.events_topic, opened.partitions)))
        return list(self._sinks)

    def close(self) -> None:
        """Let what was written appear."""
        for sink in self._sinks:
            sink.writer.close()

    def discard(self) -> None:
        """Throw away what did not appear yet."""
        for sink in self._sinks:
            sink.writer.discard()


def _openmetrics(
    path: Path, wanted: Destinations, opened: Opened, settings: Settings, *, from_files: bool
) -> OpenMetricsSink:
    periods = [context.spec.period_ns for context in opened.contexts.values()]
    streams = {item.topic: item.name for item in settings.streams}
    of_files = settings.streams[0].name
    return OpenMetricsSink(
        path,
        step_ms(wanted.openmetrics_step, periods),
        wanted.openmetrics_prefix,
        lambda topic: of_files if from_files else streams[topic],
    )


def _topic_writer(settings: Settings, name: str, partitions: int) -> TopicWriter:
    wanted = settings.topics.model_copy(update={"events": name})
    info = ensure_topics(settings.kafka, [events_topic(wanted, max(1, partitions))], create=settings.topics.create)
    return TopicWriter(producer_config(settings.kafka), name, info[name].partitions)
