"""Incidents at a glance: events folded by incident, for people and for comparison with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detector.alerting.events import ChannelDetail, CloseReason, Event, Kind
from detector.alerting.policy import Severity
from detector.alerting.timestamps import parse_time


@dataclass(frozen=True, slots=True)
class IncidentSummary:
    """What is known of an incident after its latest event. Times are event times in nanoseconds since the epoch, UTC.

    Attributes:
        incident_id: Shared by the incident's events.
        kind: What was found.
        stream: Name of the stream.
        series: Name of the series.
        severity: The greatest.
        started_ns: First sample of the run above the threshold, or the like of other kinds.
        opened_ns: Sample with which it opened.
        peak_ns: Sample with the greatest score.
        updated_ns: What caused the latest event.
        ended_ns: Last sample that was not quiet; None while open.
        closed_ns: When it was known to be over; None while open.
        close_reason: None while open.
        duration_seconds: From the start to the end, or to the latest event while open.
        peak_score: Greatest score.
        peak_ratio: Greatest score / threshold.
        channels: That contribute most to the peak, greatest first.
        events: How many events the incident has had.
        partition: Of the input topic.
        first_offset: Oldest record that the incident rests on.
        opened_offset: Record that opened it.
        last_offset: Record that caused the latest event.
    """

    incident_id: str
    kind: Kind
    stream: str
    series: str
    severity: Severity
    started_ns: int
    opened_ns: int
    peak_ns: int
    updated_ns: int
    ended_ns: int | None
    closed_ns: int | None
    close_reason: CloseReason | None
    duration_seconds: float
    peak_score: float
    peak_ratio: float
    channels: tuple[ChannelDetail, ...]
    events: int
    partition: int
    first_offset: int
    opened_offset: int
    last_offset: int

    @classmethod
    def of(cls, event: Event) -> IncidentSummary:
        """Summary of the incident as of one of its events, which tells all that came before."""
        return cls(
            incident_id=event.incident_id,
            kind=event.kind,
            stream=event.stream,
            series=event.series,
            severity=event.severity,
            started_ns=parse_time(event.started_at),
            opened_ns=parse_time(event.opened_at),
            peak_ns=parse_time(event.peak_at),
            updated_ns=parse_time(event.updated_at),
            ended_ns=None if event.ended_at is None else parse_time(event.ended_at),
            closed_ns=None if event.closed_at is None else parse_time(event.closed_at),
            close_reason=event.close_reason,
            duration_seconds=event.duration_seconds,
            peak_score=event.peak_score,
            peak_ratio=event.peak_score_over_threshold,
            channels=event.channels,
            events=event.sequence + 1,
            partition=event.source.partition,
            first_offset=event.source.first_offset,
            opened_offset=event.source.opened_offset,
            last_offset=event.source.last_offset,
        )

    @property
    def is_open(self) -> bool:
        """Whether the incident has not closed yet."""
        return self.closed_ns is None

    @property
    def last_ns(self) -> int:
        """Event time of its end; of one that is open, of what was last heard of it."""
        return self.updated_ns if self.ended_ns is None else self.ended_ns

    def blames(self, most: int = 3) -> str:
        """The channels that contribute most, with their share of the peak: ``cpu 71%, load 20%``."""
        return ", ".join(f"{detail.channel} {detail.share:.0%}" for detail in self.channels[:most])


class IncidentFold:
    """Folds events, in any order and with repetitions, into one summary for each incident.

    Memory grows with the number of incidents.
    """

    def __init__(self) -> None:
        self._latest: dict[str, Event] = {}

    def add(self, event: Event) -> None:
        """Take an event; of an incident's events the one with the greatest sequence counts."""
        known = self._latest.get(event.incident_id)
        if known is None or event.sequence > known.sequence:
            self._latest[event.incident_id] = event

    def __len__(self) -> int:
        return len(self._latest)

    def latest(self) -> list[Event]:
        """The latest event of each incident, by id."""
        return [self._latest[name] for name in sorted(self._latest)]

    def summaries(self) -> list[IncidentSummary]:
        """One for each incident, by start, then stream, series and id."""
        return sorted(
            map(IncidentSummary.of, self._latest.values()),
            key=lambda summary: (summary.started_ns, summary.stream, summary.series, summary.incident_id),
        )


def summarise(events: Iterable[Event]) -> list[IncidentSummary]:
    """Summaries of the incidents that the events tell of; see `IncidentFold`."""
    fold = IncidentFold()
    for event in events:
        fold.add(event)
    return fold.summaries()
