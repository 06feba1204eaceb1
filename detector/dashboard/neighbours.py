"""What else happened about the time of an incident: to the same series, and to others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detector.dashboard.board import Incident

_NEAR_NS = 3600 * 10**9
_SAME_SERIES = 6
_OTHER_SERIES = 12


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other incidents near one, nearest first.

    Attributes:
        same_series: Of its series, at any time.
        other_series: Of other series, no farther off than an hour or its own length.
        more: Of other series, that were too many to list.
    """

    same_series: tuple[Incident, ...]
    other_series: tuple[Incident, ...]
    more: int


def neighbours(incident: Incident, others: Iterable[Incident]) -> Neighbours:
    """Find what happened near an incident.

    Args:
        incident: Which.
        others: All that are known, this one among them or not.
    """
    about = incident.summary
    begin, end = about.started_ns, about.last_ns
    reach = max(_NEAR_NS, end - begin)
    same: list[tuple[int, int, Incident]] = []
    near: list[tuple[int, int, Incident]] = []
    for other in others:
        found = other.summary
        if found.incident_id == about.incident_id:
            continue
        apart = max(0, found.started_ns - end, begin - found.last_ns)
        place = (apart, abs(found.started_ns - begin), other)
        if (found.stream, found.series) == (about.stream, about.series):
            same.append(place)
        elif apart <= reach:
            near.append(place)
    same.sort(key=_nearest)
    near.sort(key=_nearest)
    return Neighbours(
        tuple(other for _, _, other in same[:_SAME_SERIES]),
        tuple(other for _, _, other in near[:_OTHER_SERIES]),
        max(0, len(near) - _OTHER_SERIES),
    )


def _nearest(place: tuple[int, int, Incident]) -> tuple[int, int, str]:
    apart, starts_apart, other = place
    return apart, starts_apart, other.summary.incident_id
