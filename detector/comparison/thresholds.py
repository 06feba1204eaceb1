"""What other thresholds would have alerted on: incidents over a history, for many thresholds at once.

Each threshold has a life cycle of its own for each series that is not quiet, the very one that opens incidents live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detector.alerting.lifecycle import NEVER_NS, Lifecycle, Step
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import ScoreRows
from detector.records.values import InputPartition
from detector.replay import Taken

RATIOS = tuple(2.0 ** (half / 2) for half in range(-4, 9))
"""Thresholds that are tried, as multiples of the one in force: a quarter of it to sixteen times as much."""

_DAY_NS = 86_400_000_000_000


@dataclass(slots=True)
class Tried:
    """One threshold.

    Attributes:
        ratio: To the threshold in force.
        threshold: In the score's unit.
        incidents: That would have opened.
        series: In which any would have opened.
    """

    ratio: float
    threshold: float
    incidents: int = 0
    series: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Course:
    """Life cycles of one series, by the number of the threshold, of those with which anything is under way."""

    lives: dict[int, Lifecycle] = field(default_factory=dict)


class WhatIf:
    """A sink of a replay that counts incidents at many thresholds.

    Args:
        context: Of the stream that is replayed.
    """

    def __init__(self, context: StreamContext) -> None:
        policy = context.policy
        self._policies = [policy.at_threshold(policy.threshold * ratio) for ratio in RATIOS]
        self.tried = [Tried(ratio, one.threshold) for ratio, one in zip(RATIOS, self._policies, strict=True)]
        self._courses: dict[tuple[InputPartition, str], _Course] = {}
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    @property
    def days(self) -> float:
        """Length of the history in event time."""
        if self._first_ns is None or self._last_ns is None:
            return 0.0
        return (self._last_ns - self._first_ns) / _DAY_NS

    def take(self, taken: Taken) -> None:
        """See `detector.replay.ReplaySink`."""
        for rows in taken.scores:
            self._take(taken.partition, rows)

    def _take(self, partition: InputPartition, rows: ScoreRows) -> None:
        if not len(rows.time_ns):
            return
        first, last = int(rows.time_ns.min()), int(rows.time_ns.max())
        self._first_ns = first if self._first_ns is None else min(first, self._first_ns)
        self._last_ns = last if self._last_ns is None else max(last, self._last_ns)
        columns = (rows.series, rows.time_ns.tolist(), rows.score.tolist(), rows.anew.tolist())
        for series, time_ns, score, anew in zip(*columns, strict=True):
            course = self._courses.get((partition, series))
            if course is None:
                course = self._courses[partition, series] = _Course()
            self._advance(course, series, time_ns, score, anew)

    def _advance(self, course: _Course, series: str, time_ns: int, score: float, anew: bool) -> None:
        if anew:  # which closes incidents
            for number, begun in course.lives.items():
                if begun.is_open:
                    begun.close(time_ns, self._policies[number])
                else:
                    begun.run = 0
        if score != score:
            return  # a window without a score shows that the series went on, and neither opens nor quiets anything
        for number, policy in enumerate(self._policies):
            life = course.lives.get(number)
            if life is None:
                if score <= policy.threshold:
                    # Higher thresholds are not exceeded either; those that have begun are looked at all the same.
                    if not course.lives:
                        break
                    continue
                life = course.lives[number] = Lifecycle()
            if life.advance(score, time_ns, policy) is Step.OPENED:
                self.tried[number].incidents += 1
                self.tried[number].series.add(series)
            if not life.under_way and (life.cool_down_until_ns == NEVER_NS or life.cool_down_until_ns <= time_ns):
                del course.lives[number]

    def document(self) -> Mapping[str, object]:
        """Plain values; the fields are documented in ``docs/commands.md``."""
        days = self.days
        return {
            "days": round(days, 4),
            "thresholds": [
                {
                    "threshold": one.threshold,
                    "ratio": one.ratio,
                    "incidents": one.incidents,
                    "incidents_per_day": round(one.incidents / days, 4) if days else None,
                    "series": len(one.series),
                }
                for one in self.tried
            ],
        }
