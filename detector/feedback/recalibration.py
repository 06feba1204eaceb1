"""Verdicts and history to a threshold: false alarms would not have opened, misses would, as far as alerts allow it.

Whether an incident opens within a stretch is decided by its *level*: of all runs of ``open_after`` scores that end in
it, the greatest least score. A threshold at the level or above it opens nothing there; one below it does. So false
alarms bound the threshold from below, misses and confirmed incidents from above, and where these bounds cross no
threshold can do all that was asked: as few verdicts as possible are set aside then, if that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.alerting.lifecycle import incident_spans
from detector.alerting.policy import IncidentPolicy
from detector.feedback.contradictions import ContradictionError, Rated, fewest, names, pairs
from detector.feedback.verdicts import Verdict

WEEK_NS = 7 * 86_400 * 1_000_000_000
MARGIN = 1.02
"""A threshold keeps this distance from the level that it is meant to pass, where there is room for it."""


@dataclass(frozen=True, slots=True)
class ScoredSeries:
    """Scores of one series over the history, in the order of its windows.

    Attributes:
        scores: float64[n]; NaN where the score is not known.
        times_ns: int64[n]; event times, nanoseconds since the epoch.
    """

    scores: npt.NDArray[np.float64]
    times_ns: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does to one verdict.

    Attributes:
        verdict: The verdict.
        level: Thresholds below it open an incident there; None where the history has no scores.
        before: Whether there is an incident at the threshold before.
        after: Whether there is one at the threshold after.
        aside: Whether it was set aside, since others contradict it.
    """

    verdict: Verdict
    level: float | None
    before: bool
    after: bool
    aside: bool = False

    @property
    def word(self) -> str:
        """For people: what became of it."""
        if self.level is None:
            return "not in the history"
        wanted = self.verdict.verdict != "false_alarm"
        if self.aside and self.after != wanted:
            return "set aside"
        if self.after == wanted:
            return "as before" if self.before == self.after else "mended"
        return "not mended" if self.before == self.after else "worse"


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A threshold, and what it does.

    Attributes:
        before: Threshold before.
        after: Threshold after; equal if nothing has to change, or nothing may.
        effects: On each verdict, in their order.
        incidents_before: In the history, at the threshold before.
        incidents_after: The same after.
        unmarked_after: Those of them that meet no miss and no confirmed incident: the alerts to expect.
        series_weeks: Length of the history, summed over its series.
        allowed: So many unmarked incidents are acceptable in it.
    """

    before: float
    after: float
    effects: tuple[Effect, ...]
    incidents_before: int
    incidents_after: int
    unmarked_after: int
    series_weeks: float
    allowed: float


def recalibrate(
    verdicts: Sequence[Verdict],
    history: Mapping[str, ScoredSeries],
    policy: IncidentPolicy,
    alerts_per_week: float,
    set_aside: bool = False,
) -> Recalibration:
    """Find the threshold that is nearest to the present one and does what the verdicts ask.

    It rises until no false alarm would have opened. It falls until misses would have, the clearest first, as far as
    the history then holds no more than ``alerts_per_week`` incidents per series besides misses and confirmed ones.

    Args:
        verdicts: Those that count, of kind ``reconstruction``.
        history: Scores by series.
        policy: In force now.
        alerts_per_week: Acceptable per series; bounds only how far the threshold may fall.
        set_aside: Whether as few verdicts as possible are left out, where some contradict each other.

    Raises:
        ContradictionError: a false alarm scores as high as a miss or a confirmed incident, or higher. The message says
            which, and what would become of the others.
    """
    levels = {verdict.subject_id: _level(verdict, history, policy.open_after) for verdict in verdicts}
    rated = [Rated(verdict, level) for verdict in verdicts if (level := levels[verdict.subject_id]) is not None]
    aside = fewest(rated)
    if aside and not set_aside:
        _refuse(rated, aside, recalibrate(verdicts, history, policy, alerts_per_week, set_aside=True))
    heard = [one for one in rated if one not in aside]
    wanted = [verdict for verdict in verdicts if verdict.verdict != "false_alarm"]
    floor = max((one.level for one in heard if one.alarms), default=0.0)
    weeks = sum(float(s.times_ns[-1] - s.times_ns[0]) for s in history.values() if s.times_ns.size) / WEEK_NS
    allowed = alerts_per_week * weeks
    before = policy.threshold
    reached = sorted({one.level for one in heard if not one.alarms}, reverse=True)
    threshold = before
    if floor >= before:
        ceiling = min(reached, default=math.inf)
        threshold = min(floor * MARGIN, math.sqrt(floor) * math.sqrt(ceiling))
    for level in reached:
        if level > threshold:
            continue
        lower = max(level / MARGIN, math.sqrt(floor) * math.sqrt(level))
        if _unmarked(history, wanted, _at(policy, lower)) > allowed:
            break
        threshold = lower
    spans = [_spans(history, _at(policy, value)) for value in (before, threshold)]
    return Recalibration(
        before=before,
        after=threshold,
        effects=tuple(
            Effect(
                verdict,
                levels[verdict.subject_id],
                before=_meets(verdict, spans[0].get(verdict.series, ())),
                after=_meets(verdict, spans[1].get(verdict.series, ())),
                aside=any(one.verdict is verdict for one in aside),
            )
            for verdict in verdicts
        ),
        incidents_before=sum(map(len, spans[0].values())),
        incidents_after=sum(map(len, spans[1].values())),
        unmarked_after=_unmarked(history, wanted, _at(policy, threshold)),
        series_weeks=weeks,
        allowed=allowed,
    )


def _refuse(rated: Sequence[Rated], aside: Sequence[Rated], without: Recalibration) -> None:
    words = [effect.word for effect in without.effects if not effect.aside]
    outcome = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words), key=words.index))
    raise ContradictionError(
        f"no threshold does all that the feedback asks: {pairs(rated)}. Without {names(aside)} the threshold would go "
        f"from {without.before:.4g} to {without.after:.4g}, and of the other verdicts be {outcome or 'none left'}: "
        "--set-aside does that. Or withdraw what is wrong with 'detector feedback mark --verdict withdrawn', or train "
        "a model that tells them apart"
    )


def _at(policy: IncidentPolicy, threshold: float) -> IncidentPolicy:
    share = policy.quiet_score / policy.threshold
    return replace(policy, threshold=threshold, quiet_score=min(share * threshold, threshold))


def _level(verdict: Verdict, history: Mapping[str, ScoredSeries], open_after: int) -> float | None:
    series = history.get(verdict.series)
    if series is None:
        return None
    known = ~np.isnan(series.scores)
    scores, times = series.scores[known], series.times_ns[known]
    inside = (times >= verdict.started_ns) & (times <= verdict.ended_ns)
    inside[: open_after - 1] = False
    if not inside.any():
        return None
    least = np.lib.stride_tricks.sliding_window_view(scores, open_after).min(axis=1)
    return float(least[np.flatnonzero(inside) - (open_after - 1)].max())


Spans = Mapping[str, Sequence[tuple[int, int]]]


def _spans(history: Mapping[str, ScoredSeries], policy: IncidentPolicy) -> Spans:
    return {name: incident_spans(series.scores, series.times_ns, policy) for name, series in history.items()}


def _meets(verdict: Verdict, spans: Sequence[tuple[int, int]]) -> bool:
    return any(opened <= verdict.ended_ns and closed >= verdict.started_ns for opened, closed in spans)


def _unmarked(history: Mapping[str, ScoredSeries], wanted: Sequence[Verdict], policy: IncidentPolicy) -> int:
    marked: dict[str, list[Verdict]] = {}
    for verdict in wanted:
        marked.setdefault(verdict.series, []).append(verdict)
    return sum(
        not any(_meets(verdict, [span]) for verdict in marked.get(name, ()))
        for name, spans in _spans(history, policy).items()
        for span in spans
    )
