"""Verdicts that no threshold can satisfy together: which they are, and the fewest to set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.errors import ConfigError
from detector.feedback.verdicts import Verdict

_PAIRS_TOLD = 3
_NAMES_TOLD = 5


class ContradictionError(ConfigError):
    """Verdicts that no threshold can satisfy."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A verdict on times that the history has.

    Attributes:
        verdict: The verdict.
        level: Thresholds below it open an incident there, others do not.
    """

    verdict: Verdict
    level: float

    @property
    def alarms(self) -> bool:
        """Whether it says that nothing should open."""
        return self.verdict.verdict == "false_alarm"

    def satisfied(self, threshold: float) -> bool:
        """Whether a threshold does what it asks."""
        return self.alarms is (threshold >= self.level)


def fewest(rated: Sequence[Rated]) -> list[Rated]:
    """The fewest verdicts without which a threshold satisfies all others; of equal numbers, rather false alarms."""
    # Between two levels every threshold does the same. The lowest comes first: it finds most faults.
    tried = sorted({0.0, *(one.level for one in rated)})
    return min(([one for one in rated if not one.satisfied(threshold)] for threshold in tried), key=len)


def pairs(rated: Sequence[Rated]) -> str:
    """For people: which verdicts contradict each other, and how."""
    found = [
        f"{name(alarm.verdict)} scores {alarm.level:.4g}, {name(other.verdict)} only {other.level:.4g}"
        for alarm in rated
        for other in rated
        if alarm.alarms and not other.alarms and other.level <= alarm.level
    ]
    return _listed(found, _PAIRS_TOLD, "; ")


def names(rated: Sequence[Rated]) -> str:
    """For people: verdicts by their names."""
    return _listed([name(one.verdict) for one in rated], _NAMES_TOLD, ", ")


def name(verdict: Verdict) -> str:
    """For people: what it says of what."""
    what = {"false_alarm": "the false alarm", "confirmed": "the confirmed incident", "missed": "the miss"}
    return f"{what[verdict.verdict]} {verdict.subject_id[:8]} of {verdict.series[:60]!r}"


def _listed(found: Sequence[str], most: int, between: str) -> str:
    more = f" (and {len(found) - most} more)" if len(found) > most else ""
    return between.join(found[:most]) + more
