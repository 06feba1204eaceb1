"""What the residual of each channel counts: the error of one part of a model's output, channel by channel.

Every operation works element by element, or runs along rows and channels in a fixed order: a window's error has the
same bits whatever else is in its batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import array, integer, known_keys, number, text
from models.outputs import ESTIMATES, Output
from models.scores.stretch import Stretch

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

KINDS = ("squared", "standardised", "robust", "log", "gaussian")
"""``squared``: the square, in the scaler's units. ``standardised``: the square over the channel's mean square in
held-out data. ``robust``: Huber's function of the residual over the channel's median absolute deviation: squares up to
three deviations, and then straight on. ``log``: log(1 + standardised), which no single channel can dominate.
``gaussian``: the Mahalanobis distance of all channels together, which also sees that correlations changed."""

SILENT = 1e-6
"""A held-out mean squared residual below this is that of a channel that never moves, and says nothing about the
others."""
FLOOR_SHARE = 0.1
"""The mean square that a channel is divided by is at least this share of the median channel's."""
LEAST_FLOOR = 1e-3
HUBER_LIMIT = 3.0
NORMAL_MAD = 0.6745
"""Median absolute deviation of a standard normal variable."""
SHRINKAGE = 0.05
"""Share of the identity in the correlation matrix, so that directions in which held-out data hardly varies do not count
beyond measure (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004)."""


@dataclass(frozen=True, slots=True, eq=False)
class PartErrors:
    """Error of one part of a model's output.

    Attributes:
        part: Name in the output.
        kind: One of `KINDS`.
        tail: How many of the last rows count, as far as the part has them.
        inverse_scale: float64[channels], above 0; residuals are multiplied by it.
        gain: What the mean over channels is multiplied by, so that ordinary data comes to 1.
        penalty_gain: What the model's penalty is multiplied by before it is added.
        whitening: float64[channels, channels] for ``gaussian``, else None.

    Raises:
        SpecError: a value does not fit.
    """

    part: str
    kind: str
    tail: int
    inverse_scale: Float64
    gain: float
    penalty_gain: float = 0.0
    whitening: Float64 | None = None

    def __post_init__(self) -> None:
        if self.part not in ESTIMATES or self.kind not in KINDS or self.tail < 1:
            raise SpecError(f"there is no error {self.kind!r} of {self.part!r} over {self.tail} rows")
        scale, channels = self.inverse_scale, self.inverse_scale.size
        if scale.ndim != 1 or not channels or not np.isfinite(scale).all() or (scale <= 0).any():
            raise SpecError("inverse_scale must be finite numbers above 0, one per channel")
        if not (np.isfinite(self.gain) and self.gain > 0 and np.isfinite(self.penalty_gain)):
            raise SpecError("gain must be a finite number above 0, and penalty_gain finite")
        if (self.whitening is None) != (self.kind != "gaussian"):
            raise SpecError("whitening belongs to the gaussian error, and to no other")
        if self.whitening is not None and (
            self.whitening.shape != (channels, channels) or not np.isfinite(self.whitening).all()
        ):
            raise SpecError(f"whitening must be finite numbers [{channels}, {channels}]")

    def errors(self, filled: Float32, output: Output, observed: Bool) -> tuple[Float64, Float64]:
        """Error of each window, and the share of each channel in it.

        Args:
            filled: float32[n, rows, channels]; at least the last `tail` rows of each window.
            output: Of the model for these windows.
            observed: bool[n, rows, channels].

        Returns:
            float64[n], NaN where nothing was observed or estimated; and float64[n, channels] that add up to it, 0 for
            channels that were not observed.
        """
        estimate = output.parts[self.part]
        rows = min(self.tail, filled.shape[1], estimate.shape[1])
        count = np.zeros((len(filled), filled.shape[2]))
        total = np.zeros_like(count)
        for back in range(rows, 0, -1):
            residual = filled[:, -back].astype(np.float64) - estimate[:, -back]
            known = observed[:, -back] & ~np.isnan(residual)
            count += known
            total += np.where(known, self._counted(np.where(known, residual, 0.0)), 0.0)
        seen = (count > 0).sum(axis=1)
        shares = self.gain * total / np.maximum(count, 1) / np.maximum(seen, 1)[:, None]
        if output.penalty is not None and self.penalty_gain:
            # It belongs to no channel; each bears it as it bears the rest.
            shares += (self.penalty_gain * output.penalty.astype(np.float64) / np.maximum(seen, 1))[:, None] * (
                count > 0
            )
        # cumsum adds from the first channel to the last; sum() may choose its order by the shape of the batch.
        return np.where(seen > 0, np.cumsum(shares, axis=1)[:, -1], np.nan), shares

    def _counted(self, residual: Float64) -> Float64:
        scaled = residual * self.inverse_scale
        if self.kind == "robust":
            size = np.abs(scaled)
            return np.where(size <= HUBER_LIMIT, size * size, HUBER_LIMIT * (2 * size - HUBER_LIMIT))
        if self.whitening is not None:
            white = np.zeros_like(scaled)
            # Not a matrix product: its sums are ordered by the size of the batch.
            for channel, row in enumerate(self.whitening):
                white += scaled[:, channel, None] * row
            scaled = white
        squares: Float64 = scaled * scaled
        return np.log1p(squares) if self.kind == "log" else squares

    @classmethod
    def fit(cls, part: str, kind: str, tail: int, stretches: Sequence[Stretch], window: int) -> PartErrors:
        """Measure in held-out data what is left of each channel.

        A channel that never moved is estimated perfectly, and the slightest change in it would drown all else: its
        scale has a floor.

        Args:
            part: Name in the output.
            kind: One of `KINDS`.
            tail: How many of the last rows count.
            stretches: What the model left; at least one.
            window: Samples that a window of the model has, of which stretches hold the last alone.

        Raises:
            SpecError: there is no such kind, or no window.
        """
        residuals = np.concatenate([_last_residuals(part, stretch) for stretch in stretches])
        channels = residuals.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            known = ~np.isnan(residuals)
            squares = np.where(known, residuals, 0.0) ** 2
            mean_squares = squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        scale = np.sqrt(_with_floor(mean_squares))
        if kind == "squared":
            scale = np.full(channels, float(np.sqrt(np.mean(scale**2))))
        elif kind == "robust":
            deviation = np.array([_median_deviation(residuals[known[:, c], c]) for c in range(channels)])
            scale = np.sqrt(_with_floor(np.minimum(deviation**2, mean_squares)))
        whitening = _whitening(np.where(known, residuals, 0.0) / scale) if kind == "gaussian" else None
        rule = cls(part, kind, tail, 1.0 / scale, 1.0, 0.0, whitening)
        found = [rule.errors(stretch.filled, stretch.output, stretch.observed)[0] for stretch in stretches]
        usual = float(np.nanmean(np.concatenate(found))) if known.any() else 0.0
        gain = 1.0 / usual if usual > SILENT else 1.0
        # Half of a standardised square is the log likelihood of a normal residual: the penalty, in nats a window, is as
        # much a row and channel (Kingma and Welling, "Auto-Encoding Variational Bayes", 2014).
        return cls(part, kind, tail, rule.inverse_scale, gain, gain * 2.0 / (channels * window), whitening)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; nothing of a float64 is lost."""
        return {
            "part": self.part,
            "kind": self.kind,
            "tail": self.tail,
            "inverse_scale": self.inverse_scale.tolist(),
            "gain": self.gain,
            "penalty_gain": self.penalty_gain,
            "whitening": None if self.whitening is None else self.whitening.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> PartErrors:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, set(cls.__slots__), "error of a part")
        return cls(
            part=text(data, "part"),
            kind=text(data, "kind"),
            tail=integer(data, "tail"),
            inverse_scale=array(data, "inverse_scale", 1),
            gain=number(data, "gain"),
            penalty_gain=number(data, "penalty_gain"),
            whitening=None if data["whitening"] is None else array(data, "whitening", 2),
        )


def _last_residuals(part: str, stretch: Stretch) -> Float64:
    residual = stretch.filled[:, -1].astype(np.float64) - stretch.output.parts[part][:, -1]
    residual[~stretch.observed[:, -1]] = np.nan
    return residual


def _with_floor(mean_squares: Float64) -> Float64:
    moving = mean_squares[mean_squares > SILENT]
    floor = max(FLOOR_SHARE * float(np.median(moving)), LEAST_FLOOR) if moving.size else 1.0
    return np.maximum(mean_squares, floor)


def _median_deviation(residuals: Float64) -> float:
    return float(np.median(np.abs(residuals))) / NORMAL_MAD if residuals.size else 0.0


def _whitening(standardised: Float64) -> Float64:
    """Symmetric whitening, whose components are as close to the channels as can be: each has its share of the distance.

    Kessy, Lewin and Strimmer, "Optimal Whitening and Decorrelation" (The American Statistician, 2018).
    """
    covariance = standardised.T @ standardised / max(len(standardised), 1)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    result: Float64 = (vectors / np.sqrt(np.maximum(values, SHRINKAGE / 2))) @ vectors.T
    return result
