"""Which series do not depend any more on what came before the first record that was read.

A replay that begins in mid-stream, without a checkpoint, does not know the series' windows, incidents and cool-downs.
It finds them out as it goes. What a series does is certain once

1. its window holds no row from before: it has given a window of its own;
2. its rows lie on the same grid whatever the grid's unknown origin: with a period, all times are whole periods apart,
   for as long as a window; without one there is no origin. With a stride above 1 the phase stays unknown;
3. nothing can be under way: so many scores in a row were quiet as close any incident, and since then a cool-down has
   passed without a score above the threshold.

A score that averages over the last samples adds to 1 that so many of them were scored by windows that are certain. A
model that carries something along each series without end remembers what no look-back can tell. With it 1 and 2 do not
do: its series are uncertain until a gap that is one wherever the grid begins. Behind that windows, grid, phase and what
is carried all begin anew, and 3 decides.

Everything else is *undetermined*: neither right nor wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from detector.alerting.events import Event
from detector.alerting.policy import IncidentPolicy
from detector.pipeline.outcome import Outcome, ScoreRows
from detector.series.spec import WindowSpec


@dataclass(slots=True)
class _Evidence:
    """What is known of one series that is not certain yet.

    Attributes:
        residue_ns: Place of its rows between two rows of the grid.
        aligned: Windows in a row that ended with a row at that place.
        exact: Scores by windows that are certain, in a row.
        quiet: Quiet scores in a row, once scores are certain.
        idle_ns: Event time from which on nothing is under way, or None.
        certain_after: Offset of the record with which the series became certain; infinity while it is not.
        until: Offset of the record with which it ceased to be.
        anchored_after: Offset of the record behind a gap with which everything began anew; infinity before that.
    """

    residue_ns: int = 0
    aligned: int = 0
    exact: int = 0
    quiet: int = 0
    idle_ns: int | None = None
    certain_after: float = math.inf
    until: float = math.inf
    anchored_after: float = math.inf


class Certainty:
    """Follows the scores of one partition.

    Args:
        spec: Of the windows.
        policy: Of the incidents.
        known: Whether the state at the beginning was known: then everything is certain.
        exempt: Series that are certain from the beginning although the others are not.
        carries: Whether the model carries something along each series.
        reach: How far back that goes, by series, in scored samples; None: without end.
    """

    def __init__(
        self,
        spec: WindowSpec,
        policy: IncidentPolicy,
        *,
        known: bool,
        exempt: AbstractSet[str] = frozenset(),
        carries: bool = False,
        reach: Callable[[str], float] | None = None,
    ) -> None:
        self.known = known
        self.carries = carries
        self._reach_of = reach
        self._policy = policy
        self._period_ns = spec.period_ns
        self._length = spec.length
        self._fixed_phase = spec.stride == 1
        self._exempt = exempt
        self._series: dict[str, _Evidence] = {}

    def _reach(self, series: str) -> float:
        if not self.carries:
            return 0.0
        return math.inf if self._reach_of is None else self._reach_of(series)

    def follow(self, outcome: Outcome) -> None:
        """Take the next records' outcome."""
        if self.known:
            return
        for series, offset in outcome.anchored:
            seen = self._series.setdefault(series, _Evidence())
            seen.anchored_after = min(seen.anchored_after, offset)
        for rows in outcome.scores:
            self.observe(rows)

    def observe(self, rows: ScoreRows) -> None:
        """Take the next scores, in record order."""
        if self.known or not (self._fixed_phase or self.carries):
            return
        for series, time_ns, offset, score in zip(
            rows.series, rows.time_ns.tolist(), rows.offset.tolist(), rows.score.tolist(), strict=True
        ):
            if series not in self._exempt:
                self._observe(self._series.setdefault(series, _Evidence()), self._reach(series), time_ns, offset, score)

    def _observe(self, seen: _Evidence, reach: float, time_ns: int, offset: int, score: float) -> None:
        endless = reach == math.inf
        if endless:
            if offset <= seen.anchored_after:
                return
        elif not self._fixed_phase or not self._exact(seen, reach, time_ns, offset, score):
            return
        certain = seen.certain_after < math.inf and seen.until == math.inf
        if certain:
            return
        policy = self._policy
        if score > policy.quiet_score:
            # NaN compares false: it neither opens nor quiets anything.
            seen.quiet = 0
            if score > policy.threshold:
                seen.idle_ns = None
        elif score == score:
            seen.quiet += 1
            if seen.idle_ns is None and seen.quiet >= policy.close_after:
                seen.idle_ns = time_ns
        if (
            seen.idle_ns is not None
            and time_ns >= seen.idle_ns + policy.cool_down_ns
            and (endless or self._period_ns is None or seen.aligned >= self._length)
        ):
            seen.certain_after, seen.until = offset, math.inf

    def _exact(self, seen: _Evidence, reach: float, time_ns: int, offset: int, score: float) -> bool:
        """Whether this score is what it would be whatever had been before."""
        self._align(seen, time_ns, offset)
        if not reach:
            return True
        if self._period_ns is None or seen.aligned >= self._length:
            seen.exact += score == score
        return seen.exact >= reach

    def _align(self, seen: _Evidence, time_ns: int, offset: int) -> None:
        if self._period_ns is None:
            return
        residue_ns = time_ns % self._period_ns
        if seen.aligned and residue_ns == seen.residue_ns:
            seen.aligned += 1
            return
        if seen.certain_after < seen.until:
            # From here on another origin of the grid could give other rows: it begins anew.
            seen.until = min(seen.until, offset)
            seen.quiet, seen.idle_ns = 0, None
        seen.residue_ns, seen.aligned, seen.exact = residue_ns, 1, 0

    def holds(self, series: str, offset: int) -> bool:
        """Whether what the record at ``offset`` did to the series is certain; ask right after observing it."""
        if self.known or series in self._exempt:
            return True
        seen = self._series.get(series)
        return seen is not None and seen.certain_after < offset < seen.until

    def covers(self, event: Event) -> bool:
        """Whether an event is certain; ask right after observing the scores that led to it."""
        # When a silent series is found out or forgotten depends on how far event time had come before, too; and a
        # channel may have rested for long before the first record that was read.
        return self.known or (
            event.kind == "reconstruction"
            and event.close_reason != "forgotten"
            and self.holds(event.series, event.source.last_offset)
        )

    def certain(self) -> frozenset[str]:
        """Series that are certain now."""
        return frozenset(self._exempt).union(
            series for series, seen in self._series.items() if seen.certain_after < math.inf and seen.until == math.inf
        )
