"""Which incidents a timeline shows, and of which time, where the list holds more than one picture can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from detector.dashboard.board import Incident
from detector.errors import ConfigError

_DAY_NS: Final = 86_400 * 10**9
REACHES: Final[Mapping[str, int | None]] = {"day": _DAY_NS, "week": 7 * _DAY_NS, "month": 31 * _DAY_NS, "all": None}
"""How far a timeline goes back, in nanoseconds, by name; None: as far as there are incidents."""
_MOST: Final = 1000


def span(
    incidents: Sequence[Incident], since_ns: int | None, until_ns: int | None, reach: str = "week"
) -> tuple[list[Incident], int, int] | None:
    """What to draw; None: nothing.

    Without a time that is asked for it goes back from the latest event, or less far where there was less. Event time
    decides, which for a history that is replayed lies far from the present.

    Args:
        incidents: That are asked for.
        since_ns: Event time from which on, if that is asked for.
        until_ns: Event time until which, if that is asked for.
        reach: How far back, of `REACHES`, where no time is asked for.

    Raises:
        ConfigError: there is no such reach.

    Returns:
        Incidents within that time, at most so many as can be told apart, the latest; and the time.
    """
    if reach not in REACHES:
        raise ConfigError(f"reach: there is no {reach!r}; choose of {', '.join(REACHES)}")
    if not incidents:
        return None
    longest_ns = REACHES[reach]
    last = max(incident.summary.updated_ns for incident in incidents) if until_ns is None else until_ns
    if since_ns is not None:
        first = since_ns
    else:
        first = min(one.summary.started_ns for one in incidents) if longest_ns is None else last - longest_ns
    shown = [one for one in incidents if one.summary.started_ns <= last and one.summary.last_ns >= first]
    if not shown:
        return None
    shown.sort(key=lambda one: one.summary.started_ns)
    shown = shown[-_MOST:]
    return shown, max(first, shown[0].summary.started_ns) if since_ns is None else first, last
