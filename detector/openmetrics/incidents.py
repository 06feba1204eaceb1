"""From events to how many incidents were open when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detector.alerting.events import Event
from detector.openmetrics.spool import BEFORE


@dataclass(frozen=True, slots=True)
class Change:
    """One incident more or less.

    Attributes:
        stream: Of the incident.
        series: Of the incident.
        kind: Of the incident.
        severity: For which the count changes.
        step: With which it changes; `BEFORE` all steps for an incident that opened before them.
        at: By how much in this step.
        behind: By how much in the steps behind it.
    """

    stream: str
    series: str
    kind: str
    severity: str
    step: int
    at: float
    behind: float


class OpenIncidents:
    """Follows incidents through their events.

    An incident counts in every step in which it was open, so that one that is shorter than a step is seen; where it
    becomes more severe, it counts for the new severity from that step on. One that opened before the replay's range
    counts from the first step, with the severity that its first event within the range tells.

    Memory grows with the incidents that are open at a time.
    """

    def __init__(self) -> None:
        self._severity: dict[str, str] = {}

    def follow(self, event: Event, step: int) -> Iterator[Change]:
        """What an event changes; events of an incident come in order.

        Args:
            event: Of the replay.
            step: In which it happened.
        """
        incident = event.stream, event.series, event.kind
        counted = self._severity.get(event.incident_id)
        if counted is None:
            yield Change(*incident, event.severity, step if event.event == "opened" else BEFORE, 1.0, 0.0)
        elif counted != event.severity:
            yield Change(*incident, counted, step, -1.0, 0.0)
            yield Change(*incident, event.severity, step, 1.0, 0.0)
        if event.event == "closed":
            self._severity.pop(event.incident_id, None)
            yield Change(*incident, event.severity, step, 0.0, -1.0)
        else:
            self._severity[event.incident_id] = event.severity
