"""SPOT and DSPOT: a threshold that learns the tail of each series' own scores while it runs.

Siffer, Fouque, Termier and Largouët, "Anomaly Detection in Streams with Extreme Value Theory" (KDD 2017). Scores above
a high level follow a generalised Pareto distribution, from which the score is taken that is exceeded with a given
probability. Scores above that are anomalies and teach nothing. DSPOT does so for the distance to a local mean, so that
the level of the scores may drift.

Where the paper keeps all peaks and fits them anew, this keeps their number, mean and mean square, and estimates by
moments (Hosking and Wallis, "Parameter and Quantile Estimation for the Generalized Pareto Distribution", Technometrics
1987): the same time and space for every score. What the held-out data taught comes first, as if every series had begun
with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import integer, known_keys, number
from models.memory import Memory, StateType

Float64 = npt.NDArray[np.float64]

LEAST_SHAPE, MOST_SHAPE = -0.4, 0.4
"""Moments estimate no heavier tail: a Pareto distribution of shape 1/2 has no variance."""
NEAR_ZERO = 1e-6
LEAST_RISK, MOST_RISK = 1e-9, 0.5
MOST_MOVE = 4.0
"""A threshold stays within this factor of the calibrated one, both ways: neither a very quiet nor a very restless
stretch may switch detection to the absurd or off."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Scores relative to a threshold that each series learns.

    Attributes:
        threshold: From calibration; what comes out is compared with it.
        risk: Probability, as the held-out scores tell it, that an ordinary score exceeds the threshold.
        level: Scores above it are peaks.
        seen: Held-out scores that taught the start, as if each series had seen them.
        peaks: Those of them above the level.
        mean: Mean of what they exceed the level by.
        square: Mean of the squares of that.
        centre: Mean of all held-out scores.
        depth: Scores that the local mean looks back on (DSPOT); 0: the level does not drift (SPOT).
        memory_scores: The number of scores after which a lesson has lost about two thirds of its weight.

    Raises:
        SpecError: a value is out of range.
    """

    threshold: float
    risk: float
    level: float
    seen: float
    peaks: float
    mean: float
    square: float
    centre: float
    depth: int = 0
    memory_scores: int = 100_000

    def __post_init__(self) -> None:
        if not (0 < self.threshold < np.inf and 0 < self.risk < 1):
            raise SpecError("an adaptive threshold needs a threshold above 0 and a risk between 0 and 1")
        if not (self.seen >= self.peaks > 0 and self.mean > 0 and self.square >= self.mean**2):
            raise SpecError(
                "an adaptive threshold needs peaks to start with; give more held-out data, or leave out --adaptive"
            )
        if self.depth < 0 or self.memory_scores < 1:
            raise SpecError("depth must not be negative, and memory_scores at least 1")
        with np.errstate(all="ignore"):
            held_out = float(self._held_out()[0])
        if not 0 < held_out < np.inf:
            raise SpecError(f"an adaptive threshold of {held_out} in held-out data cannot be compared with another")

    @classmethod
    def fit(cls, scores: Float64, threshold: float, level: float, depth: int = 0) -> Spot:
        """Start from held-out scores float64[n], of which those above the threshold are taken for faults.

        The risk is the one at which the scores themselves would give this threshold.

        Raises:
            SpecError: fewer than two lie between the level and the threshold.
        """
        ordinary = scores[scores <= threshold]
        excess = ordinary[ordinary > level] - level
        if excess.size < 2:
            raise SpecError(
                "an adaptive threshold needs peaks to start with; give more held-out data, or leave out --adaptive"
            )
        mean, square = float(excess.mean()), float((excess**2).mean())
        shape, scale = (float(value[0]) for value in _pareto(np.array([mean]), np.array([square])))
        beyond = max(1.0 + shape * (threshold - level) / scale, 0.0)
        rarity = np.exp(-(threshold - level) / scale) if abs(shape) < NEAR_ZERO else beyond ** (-1.0 / shape)
        return cls(
            threshold=threshold, risk=min(max(float(rarity) * excess.size / ordinary.size, LEAST_RISK), MOST_RISK),
            level=level, seen=float(ordinary.size), peaks=float(excess.size), mean=mean, square=square,
            centre=float(ordinary.mean()), depth=depth,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """As `models.calibration.options.ADAPTIVE` has it."""
        return "dspot" if self.depth else "spot"

    @property
    def state_dtype(self) -> StateType:
        """Numbers of scores and peaks, moments of the peaks, and the local mean."""
        return np.dtype([(name, "<f8") for name in ("seen", "peaks", "mean", "square", "local")])

    def relative(self, scores: Float64, memory: Memory | None) -> Float64:
        """Scores as they compare with the calibrated threshold, which stands for the moving one.

        Args:
            scores: float64[n], NaN where unknown: such a score teaches nothing.
            memory: Of the scores' series; None: each is the first of its own.

        Returns:
            float64[n].
        """
        result = np.full(len(scores), np.nan)
        if memory is None:
            memory = Memory(
                np.zeros(len(scores), self.state_dtype), np.arange(len(scores)), np.ones(len(scores), np.int64)
            )
        for chosen in memory.rounds():
            slots = memory.slots[chosen]
            states = memory.states[slots]
            self._begin(states, memory.steps[chosen] <= 0)
            known = ~np.isnan(scores[chosen])
            taught = states[known]
            result[chosen[known]] = self._advance(scores[chosen[known]], taught)
            states[known] = taught
            memory.states[slots] = states
        return result

    def _begin(self, states: npt.NDArray[np.void], anew: npt.NDArray[np.bool_]) -> None:
        for name, value in (
            ("seen", self.seen), ("peaks", self.peaks), ("mean", self.mean), ("square", self.square),
            ("local", self.centre),
        ):  # fmt: skip
            states[name][anew] = value

    def _advance(self, scores: Float64, states: npt.NDArray[np.void]) -> Float64:
        moved = np.maximum(scores - (states["local"] - self.centre), 0.0) if self.depth else scores
        limit = self._limit(states)
        ordinary = moved <= limit
        keep = 1.0 - 1.0 / self.memory_scores
        for name in ("seen", "peaks"):
            states[name][ordinary] *= keep
        states["seen"][ordinary] += 1.0
        peak = ordinary & (moved > self.level)
        states["peaks"][peak] += 1.0
        excess = moved[peak] - self.level
        weight = 1.0 / states["peaks"][peak]
        states["mean"][peak] += (excess - states["mean"][peak]) * weight
        states["square"][peak] += (excess * excess - states["square"][peak]) * weight
        if self.depth:
            states["local"][ordinary] += (scores[ordinary] - states["local"][ordinary]) / self.depth
        return moved * (self.threshold / limit)

    def _limit(self, states: npt.NDArray[np.void]) -> Float64:
        """float64[n]: the score that is exceeded as rarely as the calibrated threshold was in held-out data."""
        held_out = self._held_out()
        now = self._exceeded(states["seen"], states["peaks"], states["mean"], states["square"])
        result: Float64 = np.clip(
            self.threshold * now / held_out, self.threshold / MOST_MOVE, self.threshold * MOST_MOVE
        )
        return result

    def _held_out(self) -> Float64:
        """float64[1]: the same of the held-out scores themselves."""
        return self._exceeded(*(np.array([value]) for value in (self.seen, self.peaks, self.mean, self.square)))

    def _exceeded(self, seen: Float64, peaks: Float64, mean: Float64, square: Float64) -> Float64:
        shape, scale = _pareto(mean, square)
        rarity = np.log(self.risk * seen / np.maximum(peaks, 1e-9))
        flat = np.abs(shape) < NEAR_ZERO
        safe = np.where(flat, 1.0, shape)
        excess = np.where(flat, -scale * rarity, scale / safe * np.expm1(-safe * rarity))
        return self.level + np.maximum(excess, 0.0)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; nothing of a float64 is lost."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Spot:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, set(cls.__slots__), "adaptive threshold")
        whole = {"depth", "memory_scores"}
        return cls(**{name: integer(data, name) if name in whole else number(data, name) for name in cls.__slots__})  # type: ignore[arg-type]


def _pareto(mean: Float64, square: Float64) -> tuple[Float64, Float64]:
    """Shape and scale of the Pareto distribution with these moments."""
    variance = np.maximum(square - mean * mean, 1e-12 * mean * mean)
    shape = np.clip(0.5 * (1.0 - mean * mean / variance), LEAST_SHAPE, MOST_SHAPE)
    return shape, mean * (1.0 - shape)
