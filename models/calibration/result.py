"""A threshold, where it comes from, and what can be said for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.errors import SpecError
from models.fields import integer, known_keys, mapping, number, optional_number, text
from models.thresholds.spot import Spot


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
