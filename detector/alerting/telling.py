"""From what is remembered of an incident to the event that tells it."""

from __future__ import annotations

from detector.alerting.events import CloseReason, Event, EventName, Kind, ModelDetail, SourceDetail
from detector.alerting.evidence import Evidence, Opened, bounded
from detector.alerting.identity import Identity, event_id
from detector.alerting.policy import IncidentPolicy
from detector.alerting.timestamps import format_time

KIND: Kind = "reconstruction"
_NS_PER_SECOND = 1e9


class Teller:
    """Builds the events of one partition's incidents.

    Args:
        policy: For the threshold.
        identity: Of the partition.
    """

    def __init__(self, policy: IncidentPolicy, identity: Identity) -> None:
        self._threshold = policy.threshold
        self._identity = identity
        self._model = ModelDetail(digest=identity.model, version=identity.model_version)

    def __call__(
        self,
        event: EventName,
        series: str,
        evidence: Evidence,
        opened: Opened,
        time_ns: int,
        offset: int,
        reason: CloseReason | None = None,
    ) -> Event:
        """The event, numbered ``opened.sequence``.

        Args:
            event: The step.
            series: Name of the series.
            evidence: Of the incident.
            opened: Of the incident.
            time_ns: Event time of what caused the event.
            offset: Record that caused it.
            reason: For ``closed``, and only then.
        """
        identity = self._identity
        closed = reason is not None
        end_ns = opened.loud_ns if closed else time_ns
        return Event(
            event_id=event_id(opened.incident_id, event, opened.sequence),
            incident_id=opened.incident_id,
            event=event,
            sequence=opened.sequence,
            kind=KIND,
            stream=identity.stream,
            series=series,
            severity=opened.severity,
            started_at=format_time(evidence.started_ns),
            opened_at=format_time(opened.opened_ns),
            updated_at=format_time(time_ns),
            peak_at=format_time(evidence.peak_ns),
            ended_at=format_time(end_ns) if closed else None,
            closed_at=format_time(time_ns) if closed else None,
            close_reason=reason,
            duration_seconds=max(end_ns - evidence.started_ns, 0) / _NS_PER_SECOND,
            score=opened.score,
            peak_score=evidence.peak_score,
            threshold=self._threshold,
            score_over_threshold=bounded(opened.score / self._threshold),
            peak_score_over_threshold=evidence.peak_ratio,
            channels=evidence.channels,
            model=self._model,
            source=SourceDetail(
                cluster=identity.cluster,
                topic=identity.topic,
                partition=identity.partition,
                first_offset=evidence.first_offset,
                opened_offset=opened.opened_offset,
                last_offset=offset,
            ),
        )
