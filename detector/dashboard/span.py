"""Which incidents a timeline shows, and of which time, where the list holds more than one picture can."""

from __future__ import annotations

from collections.abc import Sequence

from detector.dashboard.board import Incident

_LONGEST_NS = 7 * 86_400 * 10**9
_MOST = 1000


def span(
    incidents: Sequence[Incident], since_ns: int | None, until_ns: int | None
) -> tuple[list[Incident], int, int] | None:
    """What to draw; None: nothing.

    Without a time that is asked for it is the last week before the latest event, or less where there was less. Event
    time decides, which for a history that is replayed lies far from the present.

    Args:
        incidents: That are asked for.
        since_ns: Event time from which on, if that is asked for.
        until_ns: Event time until which, if that is asked for.

    Returns:
        Incidents within that time, at most so many as can be told apart, the latest; and the time.
    """
    if not incidents:
        return None
    last = max(incident.summary.updated_ns for incident in incidents) if until_ns is None else until_ns
    first = last - _LONGEST_NS if since_ns is None else since_ns
    shown = [one for one in incidents if one.summary.started_ns <= last and one.summary.last_ns >= first]
    if not shown:
        return None
    shown.sort(key=lambda one: one.summary.started_ns)
    shown = shown[-_MOST:]
    return shown, max(first, shown[0].summary.started_ns) if since_ns is None else first, last
