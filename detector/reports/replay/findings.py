"""What the report of a replay is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

from detector.alerting.events import Event
from detector.alerting.summaries import IncidentSummary
from detector.comparison.models import Matched
from detector.scoring.drift import Distance
from detector.stretches.stretch import Stretch

Commands = Callable[[IncidentSummary], Sequence[str]]


@dataclass(frozen=True, slots=True)
class View:
    """An incident, as one of two saw the time around it.

    Attributes:
        title: Who saw it.
        event: The latest of the incident.
        stretch: The samples around it.
    """

    title: str
    event: Event
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Second:
    """What another model, or another threshold, made of the same history.

    Attributes:
        kind: Which of them.
        names: Of the replay's own, and of the other.
        own: Incidents of the replay that are compared.
        incidents: Of the other.
        matched: Side by side.
        facts: What else is known of the two: what it is, the figure, and what to compare it with.
        views: Of an incident of either, by id; the pictures to show.
    """

    kind: Literal["models", "thresholds"]
    names: tuple[str, str]
    own: Sequence[IncidentSummary]
    incidents: Sequence[IncidentSummary]
    matched: Matched
    facts: Sequence[tuple[str, str, str]]
    views: Callable[[str], Sequence[View]]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a replay found.

    Attributes:
        document: The summary; see ``docs/commands.md``.
        source: What was replayed, for people.
        named: Whether somebody named the streams.
        incidents: By start.
        events: The latest of each incident, by id.
        undetermined: Ids of incidents that what was before the first record could have made another one, or none.
        since_ns: First event time.
        until_ns: Last event time.
        stretch: Samples around an incident, by id; None where they are not kept.
        commands: That look further into an incident.
        what_if: Other thresholds; see `detector.comparison.thresholds.WhatIf.document`.
        drift: How far inputs were from the training data at the worst, by stream and channel; "" stands for the score.
        second: Another model or threshold.
        made: When and by what, for people.
    """

    document: Mapping[str, Any]
    source: str
    named: bool
    incidents: Sequence[IncidentSummary]
    events: Mapping[str, Event]
    undetermined: AbstractSet[str]
    since_ns: int
    until_ns: int
    stretch: Callable[[str], Stretch | None]
    commands: Commands
    what_if: Mapping[str, Any] | None = None
    drift: Mapping[tuple[str, str], Distance] | None = None
    second: Second | None = None
    made: str = ""
