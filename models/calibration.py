"""An alarm threshold from the scores of held-out data, without labels.

By how many alerts a week are acceptable, counted by the very logic that opens incidents live; by how rarely an ordinary
score may exceed it; or simply by a quantile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.errors import SpecError, TrainingError
from models.excursions import OpeningLevels, excursion_peaks, fit_endless
from models.extremes import Pareto, fit_pareto
from models.fields import integer, known_keys, mapping, number, optional_number, text
from models.thresholds.spot import Spot

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

QUANTILES = (0.5, 0.9, 0.98, 0.99, 0.999, 1.0)
METHODS = ("budget", "risk", "quantile")
ADAPTIVE = ("none", "spot", "dspot")
DAY_NS = 86_400_000_000_000
CANDIDATES = 64
"""Thresholds that are tried against the budget."""
LEAST_ALLOWED = 1e-3
"""No tail tells how high a score is that is to be exceeded never, or once in a thousand times the held-out data."""
LEAST_THRESHOLD = 0.01
"""Ordinary data scores about 1, unless nothing in it ever moves: its scores are rounding errors, and so would be a
threshold taken from them."""


class CountIncidents(Protocol):
    """Counts the incidents that the scores of one series would have opened."""

    def __call__(self, scores: Float64, times_ns: Int64, threshold: float) -> int:
        """Count them.

        Args:
            scores: float64[n], in order.
            times_ns: int64[n], nanoseconds since the epoch, ascending.
            threshold: The threshold to try.
        """


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """How careful the threshold is.

    Attributes:
        method: One of `METHODS`. ``budget``: by ``alerts_per_week``. ``risk``: by ``risk``. ``quantile``: by
            ``quantile``, and nothing is extrapolated.
        alerts_per_week: Incidents of ordinary data that are acceptable, per series.
        risk: Probability that an ordinary window exceeds the threshold.
        quantile: Share of the held-out scores that do not exceed the threshold.
        adaptive: One of `ADAPTIVE`. ``spot``: the threshold follows the tail of each series' own scores; ``dspot``: and
            their local mean.
        depth: Scores that the local mean looks back on.
        initial_quantile: The tail is fitted to the scores above this quantile.
        least_peaks: With fewer scores above it, and for a budget with fewer excursions, the tail is not fitted; the
            highest score and a margin serve instead.
        outlier_ratio: Held-out scores above this multiple of the initial quantile are taken for faults in the training
            data: they neither shape the tail nor lift the threshold above themselves.
        most_extrapolation: The threshold is at most this multiple of the highest ordinary score.
        margin: What the highest score is multiplied by when the tail is not fitted.
        open_after: Windows in a row above the threshold that open an incident.

    Raises:
        SpecError: a value is out of range.
    """

    method: str = "risk"
    alerts_per_week: float = 1.0
    risk: float = 1e-4
    quantile: float = 0.9999
    adaptive: str = "none"
    depth: int = 450
    initial_quantile: float = 0.98
    least_peaks: int = 20
    outlier_ratio: float = 10.0
    most_extrapolation: float = 3.0
    margin: float = 1.5
    open_after: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SpecError(f"there is no threshold by {self.method!r}; choose one of: {', '.join(METHODS)}")
        if self.adaptive not in ADAPTIVE:
            raise SpecError(f"there is no adaptive threshold {self.adaptive!r}; choose one of: {', '.join(ADAPTIVE)}")
        if not (math.isfinite(self.alerts_per_week) and self.alerts_per_week >= 0):
            raise SpecError(f"alerts_per_week is {self.alerts_per_week}; it must be 0 or more")
        if not 0 < self.quantile < 1:
            raise SpecError(f"quantile is {self.quantile}; it must be between 0 and 1")
        if self.depth < 1:
            raise SpecError(f"depth is {self.depth}; it must be at least 1")
        if not 0 < self.initial_quantile < 1:
            raise SpecError(f"initial_quantile is {self.initial_quantile}; it must be between 0 and 1")
        if not 0 < self.risk < 1 - self.initial_quantile:
            raise SpecError(f"risk is {self.risk}; it must be above 0 and below 1 - initial_quantile")
        if self.least_peaks < 2 or self.open_after < 1:
            raise SpecError("least_peaks must be at least 2, and open_after at least 1")
        if min(self.outlier_ratio, self.most_extrapolation, self.margin) < 1:
            raise SpecError("outlier_ratio, most_extrapolation and margin must be at least 1")


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Scores of an unbroken stretch of one series that the model was not fitted to.

    Attributes:
        scores: float64[n]; NaN where the score is not known.
        times_ns: int64[n], nanoseconds since the epoch, ascending.
    """

    scores: Float64
    times_ns: Int64


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold, and where it comes from.

    Attributes:
        method: ``alert_budget``, ``peaks_over_threshold``, ``quantile``, ``highest_score`` when there were too few
            scores to fit a tail, or ``feedback`` when people moved it.
        risk: Probability that an ordinary window exceeds the threshold: as asked for, else as it was in held-out data.
        threshold: Scores above it are anomalous.
        open_after: Windows in a row above the threshold that open an incident.
        samples: Held-out scores that were looked at.
        outliers: Those of them that were left out as probable faults.
        quantiles: Held-out score by probability, written as text, outliers included.
        tail_shape: Shape of the fitted Pareto tail; ``None`` when there is none.
        held_out_days: Length of the held-out data in event time.
        held_out_incidents: Incidents that the threshold would have opened in it; ``None`` when nobody counted.
        spot: The start of a threshold that follows each series; ``None``: it does not.
        expected_alerts_per_day: Incidents of ordinary data to expect, per series; ``None`` when nobody counted or the
            data has no length.
        feedback: What people said that moved the threshold, from where, and what that did; ``None``: nobody did.
        alerts_per_week: What was asked for by an alert budget; ``None``: the threshold was set by something else.
    """

    method: str
    risk: float
    threshold: float
    open_after: int
    samples: int
    outliers: int
    quantiles: Mapping[str, float]
    tail_shape: float | None
    held_out_days: float
    held_out_incidents: int | None
    expected_alerts_per_day: float | None
    spot: Spot | None = None
    feedback: Mapping[str, object] | None = None
    alerts_per_week: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold > 0):
            raise SpecError(f"threshold is {self.threshold}; it must be above 0 and finite")
        if self.open_after < 1:
            raise SpecError(f"open_after is {self.open_after}; it must be at least 1")

    @property
    def shortfall(self) -> str | None:
        """What the held-out data cannot show of the alert budget, and what to do; None: it shows it, or no budget."""
        asked, expected = self.alerts_per_week, self.expected_alerts_per_day
        if asked is None or self.method == "feedback":
            return None
        days = self.held_out_days
        per_day, unit = (1, "days") if days >= 2 else (24, "hours") if days >= 1 / 12 else (1440, "minutes")
        long = f"{days * per_day:.3g} {unit}"
        alerts = "one alert" if asked == 1 else f"{asked:g} alerts"
        reasons = []
        if 0 < asked * days < 7:
            reasons.append(f"held-out data of {long}, all series together, cannot show {alerts} a week")
        if expected is not None and 7 * expected > asked * (1 + 1e-9):
            reasons.append(f"up to {7 * expected:.2g} a week and series can come where {asked:g} were asked for")
        if not reasons:
            return None
        return (
            f"{'; '.join(reasons)}: train on more history, or look at what other thresholds would have opened with "
            "'detector replay --what-if'"
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; nothing of a float64 is lost."""
        spot = None if self.spot is None else self.spot.to_dict()
        return {name: getattr(self, name) for name in self.__slots__} | {
            "quantiles": dict(self.quantiles),
            "spot": spot,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, set(cls.__slots__), "calibration")
        quantiles = mapping(data, "quantiles")
        return cls(
            method=text(data, "method"),
            risk=number(data, "risk"),
            threshold=number(data, "threshold"),
            open_after=integer(data, "open_after"),
            samples=integer(data, "samples"),
            outliers=integer(data, "outliers"),
            quantiles={probability: number(quantiles, probability) for probability in quantiles},
            tail_shape=optional_number(data, "tail_shape"),
            held_out_days=number(data, "held_out_days"),
            held_out_incidents=None if data["held_out_incidents"] is None else integer(data, "held_out_incidents"),
            expected_alerts_per_day=optional_number(data, "expected_alerts_per_day"),
            spot=None if data["spot"] is None else Spot.from_dict(mapping(data, "spot")),
            feedback=None if data["feedback"] is None else mapping(data, "feedback"),
            alerts_per_week=optional_number(data, "alerts_per_week"),
        )


def calibrate(
    held_out: Sequence[HeldOutScores],
    options: CalibrationOptions | None = None,
    count_incidents: CountIncidents | None = None,
) -> Calibration:
    """Set the threshold.

    By risk, it comes from peaks over threshold (Siffer et al., KDD 2017). The estimate is kept plausible: not below the
    highest ordinary score that was seen, as long as fewer scores were seen than one in ``risk``, and not beyond a
    multiple of it.

    By budget, it is the lowest at which the held-out data would have opened no more incidents than are acceptable in
    its time. If that is less than one, the tail tells how much higher than what was seen it has to be: the tail not of
    the scores, but of the thresholds below which an incident would have opened, one of each excursion.

    Expected alerts come from the incident logic itself: it counts those at the initial quantile, where there are enough
    to count, and their number falls with the probability of exceeding, from there to the risk. If more than that open
    at the threshold, those are what to expect; and where an alert budget could be counted out, they are what it leaves
    room for.

    Args:
        held_out: Scores of the held-out stretches of all series.
        options: How careful to be.
        count_incidents: Counts incidents with the settings that will run live.

    Raises:
        SpecError: a budget is asked for and nobody counts.
        TrainingError: no held-out score is known.
    """
    options = options or CalibrationOptions()
    scores = np.concatenate([part.scores for part in held_out]) if held_out else np.empty(0)
    scores = scores[~np.isnan(scores)]
    if not scores.size:
        raise TrainingError("no held-out window could be scored; give more data, or data with fewer missing values")
    level = float(np.quantile(scores, options.initial_quantile))
    most = options.outlier_ratio * level
    ordinary = scores[scores <= most]
    tail = _Tail.of(ordinary, level, options)
    days = sum(float(part.times_ns[-1] - part.times_ns[0]) / DAY_NS for part in held_out if part.times_ns.size)
    faults = 0
    if options.method == "quantile":
        method, threshold = "quantile", float(np.quantile(scores, options.quantile))
    elif options.method == "budget":
        if count_incidents is None:
            raise SpecError("an alert budget needs somebody who counts incidents")
        method, threshold, faults = _within_budget(held_out, most, options, count_incidents, days)
    else:
        method, threshold = tail.method, tail.at(options.risk * ordinary.size, options.risk)
    threshold = max(threshold, LEAST_THRESHOLD)
    risk = options.risk if options.method == "risk" else tail.risk_of(threshold)
    incidents, expected = _alerts(held_out, risk, options, threshold, level, days, scores.size, faults, count_incidents)
    return Calibration(
        method=method,
        risk=risk,
        threshold=threshold,
        open_after=options.open_after,
        samples=int(scores.size),
        outliers=int(scores.size - ordinary.size),
        quantiles={str(q): float(np.quantile(scores, q)) for q in QUANTILES},
        tail_shape=None if tail.pareto is None else tail.pareto.shape,
        held_out_days=days,
        held_out_incidents=incidents,
        expected_alerts_per_day=expected,
        spot=_spot(ordinary, threshold, level, options),
        alerts_per_week=options.alerts_per_week if options.method == "budget" else None,
    )


@dataclass(frozen=True, slots=True)
class _Tail:
    """The ordinary scores above the level.

    Attributes:
        scores: float64[n]; all ordinary scores, ascending.
        peaks: float64[n]; what they exceed the level by.
        pareto: Fitted to the peaks; None when there are too few.
    """

    level: float
    scores: Float64
    peaks: Float64
    pareto: Pareto | None
    options: CalibrationOptions

    @classmethod
    def of(cls, ordinary: Float64, level: float, options: CalibrationOptions) -> _Tail:
        peaks = ordinary[ordinary > level] - level
        pareto = fit_pareto(peaks) if peaks.size >= options.least_peaks else None
        return cls(level, np.sort(ordinary), peaks, pareto, options)

    @property
    def highest(self) -> float:
        return float(self.scores[-1])

    @property
    def method(self) -> str:
        return "highest_score" if self.pareto is None else "peaks_over_threshold"

    def at(self, expected: float, risk: float) -> float:
        """The score that so many of the ordinary scores were to exceed, a share of ``risk`` of them."""
        if self.pareto is None:
            return self.highest * self.options.margin
        estimate = self.level + self.pareto.excess_at(min(expected / self.peaks.size, 1.0))
        least = float(np.quantile(self.scores, 1 - risk, method="higher"))
        return min(max(estimate, least), self.highest * self.options.most_extrapolation)

    def risk_of(self, threshold: float) -> float:
        """Probability that an ordinary score exceeds a threshold; that of one more score than was seen, at least."""
        above = self.scores.size - int(np.searchsorted(self.scores, threshold, side="right"))
        return max(above, 1) / (self.scores.size + 1)


def _opening_levels(held_out: Sequence[HeldOutScores], most: float, open_after: int) -> list[OpeningLevels]:
    """Thresholds below which an incident would open, by series; those above ``most`` are left out.

    Where nothing remains, since hardly a stretch has so many scores, the scores themselves.
    """
    for needed in (open_after, 1):
        found = [OpeningLevels.of(part.scores, part.times_ns, needed).at_most(most) for part in held_out]
        if any(part.levels.size for part in found):
            break
    return found


def _within_budget(
    held_out: Sequence[HeldOutScores], most: float, options: CalibrationOptions, count: CountIncidents, days: float
) -> tuple[str, float, int]:
    """How the threshold was found, the threshold, and how many of the incidents are probable faults."""
    # A spike that is too short to open an incident, however high it is, must not lift the threshold either.
    parts = _opening_levels(held_out, most, options.open_after)
    levels = np.concatenate([part.levels for part in parts])
    level, highest = float(np.quantile(levels, options.initial_quantile)), float(levels.max())

    def incidents(threshold: float) -> int:
        tried = max(threshold, LEAST_THRESHOLD)
        return sum(count(part.scores, part.times_ns, tried) for part in held_out if part.times_ns.size)

    allowed = options.alerts_per_week * days / 7
    # Faults in the training data are no false alarms, and no threshold is to be lifted above them.
    faults = incidents(highest)
    if allowed < 1:
        peaks = excursion_peaks(parts, level, incidents(level) - faults)
        if peaks.size < options.least_peaks:
            return "highest_score", highest * options.margin, faults
        share = min(max(allowed, LEAST_ALLOWED) / peaks.size, 1.0)
        beyond = max(level + fit_endless(peaks - level).excess_at(share), highest)
        return "alert_budget", min(beyond, highest * options.most_extrapolation), faults
    chosen, excesses = highest, levels[levels > level] - level
    if not excesses.size:  # so many are equally high that none lies above the level
        return "alert_budget", chosen, faults
    candidates = np.unique(np.quantile(excesses, np.linspace(0, 1, CANDIDATES))) + level
    for candidate in candidates[::-1].tolist():
        if incidents(candidate) - faults > allowed:
            break
        chosen = candidate
    return "alert_budget", chosen, faults


def _spot(ordinary: Float64, threshold: float, level: float, options: CalibrationOptions) -> Spot | None:
    if options.adaptive == "none":
        return None
    return Spot.fit(ordinary, threshold, min(level, threshold), options.depth if options.adaptive == "dspot" else 0)


def _alerts(
    held_out: Sequence[HeldOutScores],
    risk: float,
    options: CalibrationOptions,
    threshold: float,
    level: float,
    days: float,
    samples: int,
    faults: int,
    count_incidents: CountIncidents | None,
) -> tuple[int | None, float | None]:
    if count_incidents is None:
        return None, None
    at_threshold, at_level = (
        sum(count_incidents(part.scores, part.times_ns, value) for part in held_out if part.times_ns.size)
        for value in (threshold, max(level, LEAST_THRESHOLD))
    )
    if days <= 0:
        return at_threshold, None
    ordinary = max(at_threshold - faults, 0)
    allowed = options.alerts_per_week * days / 7
    if options.method == "budget" and allowed >= 1:
        # The next incident lies just below the threshold, which is as low as the budget lets it be.
        return at_threshold, min(ordinary + 1, allowed) / days
    # With few samples, the risk that they can vouch for is about one in their number.
    risk = max(risk, 1 / (samples + 1))
    thinned = at_level * min(risk / (1 - options.initial_quantile), 1.0)
    return at_threshold, max(ordinary, thinned) / days
