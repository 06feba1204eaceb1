"""Which of two models does better on the same history: what each finds, and what it would have alerted on besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.alerting.lifecycle import incident_spans
from detector.alerting.policy import IncidentPolicy
from detector.feedback.recalibration import ScoredSeries
from detector.retraining.known import Fault, Faults
from detector.training_data import SeriesData
from models.chain import Chain
from models.offline import SegmentScores, score_series
from models.segments import Segment, cut

WEEK_NS = 7 * 86_400 * 1_000_000_000
INJECTED_MARGIN = 0.01
"""Average precisions on injected faults that differ by less are equal: another draw would turn them round."""

Injected = Callable[["Contender"], float]
"""Average precision of a model on faults that were injected into ordinary data."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A model, as it would run.

    Attributes:
        chain: From windows to scores.
        policy: Of its incidents, at its own threshold.
        window: Samples in a window.
        period_ns: Step of the grid, or None.
        max_gap_steps: Rows that are filled in.
        min_coverage: Least observed share of a window for a score.
    """

    chain: Chain
    policy: IncidentPolicy
    window: int
    period_ns: int | None
    max_gap_steps: int
    min_coverage: float


@dataclass(frozen=True, slots=True)
class Performance:
    """How a model does on a history.

    Attributes:
        injected: Average precision on injected faults, 0 to 1; NaN where that was not measured.
        found: Known faults in which it would have had an incident.
        known: Known faults of the history.
        others: Incidents that touch no known fault.
        others_per_week: The same, per series and week.
    """

    injected: float
    found: int
    known: int
    others: int
    others_per_week: float


def scored(contender: Contender, data: SeriesData) -> dict[str, ScoredSeries]:
    """Scores of a history, by series, for verdicts to be held against.

    Args:
        contender: The model.
        data: The whole history.
    """
    segments, scores = _run(contender, data)
    return {
        name: ScoredSeries(
            np.concatenate([part.score for part in parts]),
            np.concatenate([segment.times_ns for segment in segments[name]]),
        )
        for name, parts in scores.items()
    }


def _run(contender: Contender, data: SeriesData) -> tuple[dict[str, Sequence[Segment]], dict[str, list[SegmentScores]]]:
    cuts = {
        name: cut(times_ns, values, contender.period_ns, contender.max_gap_steps)
        for name, (times_ns, values) in data.items()
    }
    segments: dict[str, Sequence[Segment]] = {name: found for name, found in cuts.items() if found}
    return segments, score_series(contender.chain, segments, contender.window, contender.min_coverage)


def perform(
    contender: Contender, data: SeriesData, faults: Faults, from_ns: Mapping[str, int], injected: Injected | None
) -> Performance:
    """Let a model run over a history, and count from a time on.

    Args:
        contender: The model.
        data: The whole history, faults included: the model's memory reads all of it.
        faults: Known ones, by series; those that show are to be found.
        from_ns: By series, event time from which on incidents and faults count.
        injected: Measures it on injected faults.
    """
    segments, scores = _run(contender, data)
    found = known = others = 0
    weeks = 0.0
    for name, parts in scores.items():
        times = np.concatenate([segment.times_ns for segment in segments[name]])
        spans = _spans([part.score for part in parts], [segment.times_ns for segment in segments[name]], contender)
        start = from_ns.get(name, int(times[0]))
        weeks += max(0, int(times[-1]) - start) / WEEK_NS
        mine = [fault for fault in faults.get(name, ()) if fault.ended_ns >= start and fault.started_ns <= times[-1]]
        shown = [fault for fault in mine if fault.shows]
        known += len(shown)
        found += sum(any(_meet(span, fault) for span in spans) for fault in shown)
        others += sum(
            span[0] >= start and not any(_meet(span, fault) for fault in faults.get(name, ())) for span in spans
        )
    return Performance(
        injected=float("nan") if injected is None else injected(contender),
        found=found,
        known=known,
        others=others,
        others_per_week=others / weeks if weeks else 0.0,
    )


def _spans(
    scores: Sequence[npt.NDArray[np.float64]], times_ns: Sequence[npt.NDArray[np.int64]], contender: Contender
) -> list[tuple[int, int]]:
    # A gap that begins a window anew closes incidents.
    return [
        span
        for part, times in zip(scores, times_ns, strict=True)
        for span in incident_spans(part, times, contender.policy)
    ]


def _meet(span: tuple[int, int], fault: Fault) -> bool:
    return span[0] <= fault.ended_ns and span[1] >= fault.started_ns


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the challenger should take over.

    Attributes:
        promote: Whether it is better.
        reasons: In words, what was decisive.
    """

    promote: bool
    reasons: tuple[str, ...]


def decide(champion: Performance, challenger: Performance, alerts_per_week: float) -> Decision:
    """The challenger takes over if it is worse in nothing that matters, and better in something.

    It must find as many of the known faults, keep to the alerts that are acceptable (or to fewer than the champion
    has), and be as good on injected faults.

    Args:
        champion: The present model.
        challenger: The new one.
        alerts_per_week: Acceptable per series.
    """
    worse, better = [], []
    if challenger.found < champion.found:
        worse.append(f"it finds {challenger.found} of {challenger.known} known faults, not {champion.found}")
    elif challenger.found > champion.found:
        better.append(f"it finds {challenger.found} of {challenger.known} known faults rather than {champion.found}")
    allowed = max(alerts_per_week, champion.others_per_week)
    if challenger.others_per_week > allowed:
        weekly = f"{challenger.others_per_week:.2g} other incidents per series and week"
        worse.append(f"{weekly} are more than {allowed:.2g}")
    elif challenger.others < champion.others:
        better.append(f"{challenger.others} other incidents rather than {champion.others}")
    difference = challenger.injected - champion.injected
    if difference < -INJECTED_MARGIN:
        worse.append(f"injected faults: {challenger.injected:.3f} against {champion.injected:.3f}")
    elif difference > INJECTED_MARGIN:
        better.append(f"injected faults: {challenger.injected:.3f} rather than {champion.injected:.3f}")
    if worse:
        return Decision(False, tuple(worse))
    return Decision(bool(better), tuple(better) or ("it is no better than the present one",))
