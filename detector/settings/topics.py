"""The topics that the worker writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from detector.settings.values import RetentionSeconds, Section, TopicName


class TopicSettings(Section):
    """Names of the topics that the worker writes; created at start unless ``create`` is false."""

    events: TopicName = "reconstream.events"
    """Incidents: opened, updated, closed."""
    dead_letters: TopicName = "reconstream.dead-letters"
    """Invalid records as they came, each with its reason."""
    state: TopicName = "reconstream.state"
    """Windows and open incidents, so that a restart goes on where it stopped; compacted."""
    epochs: TopicName = "reconstream.epochs"
    """Which model and settings were in force from which offset on."""
    feedback: TopicName = "reconstream.feedback"
    """What people say about incidents; written by ``detector feedback``, read by ``detector recalibrate``."""
    create: bool = True
    """Create these topics at start where they are missing; otherwise a missing one is an error."""
    replication_factor: Annotated[int, Field(ge=-1)] = -1
    """Of topics that are created; -1 leaves it to the cluster."""
    retention_seconds: RetentionSeconds = 31_536_000.0
    """How long events, dead letters and epochs are kept; -1 for ever."""
