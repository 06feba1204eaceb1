"""Everything a worker or a replay needs to know, in one value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from detector.settings.http import DashboardSettings, HttpSettings
from detector.settings.kafka import KafkaSettings
from detector.settings.stream import StreamSettings
from detector.settings.topics import TopicSettings
from detector.settings.values import Seconds, Section, repeated
from detector.settings.worker import WorkerSettings


class RegistrySettings(Section):
    """How registries of models are used, where streams name one."""

    check_interval_seconds: Seconds = 30.0
    """How often a running worker looks whether an alias that it follows was moved."""
    cache_directory: Path | None = None
    """Where copies of bundles from remote registries are kept; without it, below the user's cache directory."""


class LogSettings(Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is shown."""
    format: Literal["auto", "console", "json"] = "auto"
    """auto: for people on a terminal, JSON otherwise."""


class Settings(Section):
    """Everything a worker or a replay needs to know."""

    kafka: KafkaSettings = KafkaSettings()
    """Where the cluster is and how to speak to it."""
    worker: WorkerSettings = WorkerSettings()
    """The loop: identity, delivery, batches and deadlines."""
    topics: TopicSettings = TopicSettings()
    """Names of the topics that the worker writes."""
    streams: Annotated[tuple[StreamSettings, ...], Field(min_length=1)]
    """The input topics, each with its model."""
    registry: RegistrySettings = RegistrySettings()
    """How registries of models are used, where streams name one."""
    http: HttpSettings = HttpSettings()
    """The endpoints /metrics, /healthz and /readyz."""
    dashboard: DashboardSettings = DashboardSettings()
    """The web page of ``detector dashboard``."""
    log: LogSettings = LogSettings()
    """What is logged and how."""

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        name = repeated([stream.name for stream in self.streams])
        if name is not None:
            raise ValueError(f"two streams have the name {name!r}; give each a name of its own")
        inputs = [stream.topic for stream in self.streams]
        topic = repeated(inputs)
        if topic is not None:
            raise ValueError(f"two streams read the topic {topic!r}; give each stream a topic of its own")
        topics = self.topics
        topic = repeated([*inputs, topics.events, topics.dead_letters, topics.state, topics.epochs, topics.feedback])
        if topic is not None:
            raise ValueError(
                f"the topic {topic!r} is named twice; events, dead_letters, state, epochs, feedback "
                "and the streams' topics must all differ"
            )
        return self
