"""Robust scaling per series and channel, in float64, fitted on training data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import array, known_keys, number, text_tuple

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.integer]

NORMAL_IQR = 1.3489795003921634
"""Interquartile range of a standard normal distribution: dividing by it makes the range an estimate of sigma."""
STD_SHARE = 0.5
"""The scale is at least this share of the standard deviation; alone, the range of a mostly idle channel would be tiny,
and its ordinary bursts would all be clipped."""
RELATIVE_NOISE = 1e-9
"""A deviation below this share of the magnitude is rounding, not signal: the channel counts as constant."""
CONSTANT_SHARE = 0.1
"""A constant channel is scaled by this share of its value, so that losing the value altogether reads as ten."""
DEFAULT_CLIP = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """Centre and scale per series and channel: ``clip((value - centre) / scale)``.

    The centre is the median. The scale is the interquartile range over 1.349 (the standard deviation, if the values are
    normal), but at least half the standard deviation. A channel that is constant in a series takes the median scale of
    the series where it varies; one that varies nowhere takes a tenth of its magnitude, or 1 where it is always 0.
    A change then shows, and clipping keeps it finite.

    Row 0 describes all series together and serves those that training never saw.

    Args:
        series: Names of the series of rows 1, 2, ….
        centre: float64[1 + series, channels], in the channels' own units.
        scale: float64[1 + series, channels], above 0.
        clip: Scaled values are cut to ``-clip..clip``.
        per_deviation: float64[channels], above 0; the scale of a series in its standard deviations, in the median of
            all. By it a series is scaled alike that is measured on its first samples, of which no quartiles are kept
            (`models.warm_up`). None: 1, as for normal values.

    Raises:
        SpecError: shapes disagree, a scale is not above 0, or a number is not finite.
    """

    series: tuple[str, ...]
    centre: Float64
    scale: Float64
    clip: float = DEFAULT_CLIP
    per_deviation: Float64 | None = None
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.centre.ndim != 2 or self.centre.shape != self.scale.shape or len(self.centre) != 1 + len(self.series):
            raise SpecError(
                f"scaler tables {self.centre.shape} and {self.scale.shape} do not fit {len(self.series)} series"
            )
        if not (np.isfinite(self.centre).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise SpecError("a centre or scale of the scaler is not finite, or a scale is not above 0")
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise SpecError(f"clip is {self.clip}; it must be above 0")
        ratio = np.ones(self.scale.shape[1]) if self.per_deviation is None else self.per_deviation
        if ratio.shape != self.scale.shape[1:] or not (np.isfinite(ratio).all() and (ratio > 0).all()):
            raise SpecError("per_deviation of the scaler must be a finite number above 0 for each channel")
        object.__setattr__(self, "per_deviation", ratio)
        object.__setattr__(self, "_rows", {name: row for row, name in enumerate(self.series, 1)})
        if len(self._rows) != len(self.series):
            raise SpecError("the scaler names a series twice")

    @classmethod
    def fit(cls, data: Mapping[str, Float64], clip: float = DEFAULT_CLIP) -> Scaler:
        """Fit on the training part of every series.

        Args:
            data: float64[rows, channels] for each series; NaN where missing. A channel that a series never has is
                scaled as all series together are.
            clip: See the class.

        Raises:
            SpecError: there is no series, or their numbers of channels differ.
        """
        names = tuple(sorted(data))
        if len({data[name].shape[1:] for name in names}) != 1:
            raise SpecError("a scaler needs at least one series, and as many channels in each")
        channels = data[names[0]].shape[1]
        centre, scale = np.zeros((1 + len(names), channels)), np.zeros((1 + len(names), channels))
        ratio = np.ones(channels)
        for channel in range(channels):
            columns = [values[:, channel][np.isfinite(values[:, channel])] for values in (data[name] for name in names)]
            fits = [_centre_scale(column) for column in [np.concatenate(columns), *columns]]
            varying = [fit[1] for fit in fits[1:] if fit is not None and fit[1] > 0]
            pooled = fits[0] if fits[0] is not None else (0.0, 0.0, 1.0)
            usual = float(np.median(varying)) if varying else pooled[1]
            if varying:
                ratio[channel] = float(np.median([fit[2] for fit in fits[1:] if fit is not None and fit[1] > 0]))
            for row, fit in enumerate(fits):
                middle, spread, _ = pooled if fit is None else fit
                centre[row, channel] = middle
                scale[row, channel] = spread or usual or CONSTANT_SHARE * abs(middle) or 1.0
        # The reciprocal of a subnormal scale would overflow.
        return cls(names, centre, np.maximum(scale, np.finfo(np.float64).tiny * 1e16), clip, ratio)

    def row(self, series: str) -> int:
        """Row of a series in the tables; 0 for one that training never saw."""
        return self._rows.get(series, 0)

    def apply(self, values: Float64, rows: Rows) -> Float32:
        """Scale windows; NaN stays NaN.

        Args:
            values: float64[n, time, channels] in the channels' own units.
            rows: int[n], the table row of each window's series.

        Returns:
            float32[n, time, channels], C-contiguous.
        """
        return self.scaled(values, self.centre[rows], self.scale[rows])

    def scaled(self, values: Float64, centre: Float64, scale: Float64) -> Float32:
        """Scale windows by centres and scales float64[n, channels] that are not of the table, and clip as always."""
        # Far outliers may overflow to infinity; clipping brings them back.
        with np.errstate(over="ignore"):
            found = values - centre[:, None, :]
            found /= scale[:, None, :]
        np.clip(found, -self.clip, self.clip, out=found)
        return found.astype(np.float32, order="C")

    def invert(self, scaled: Float32, rows: Rows) -> Float64:
        """Turn scaled values back into the channels' own units.

        Args:
            scaled: float32[n, time, channels].
            rows: int[n], the table row of each window's series.

        Returns:
            float64[n, time, channels].
        """
        return scaled.astype(np.float64) * self.scale[rows][:, None, :] + self.centre[rows][:, None, :]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; Python writes decimals that read back as the same float64, so nothing is lost."""
        return {
            "series": list(self.series),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "clip": self.clip,
            "per_deviation": [] if self.per_deviation is None else self.per_deviation.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Scaler:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"series", "centre", "scale", "clip", "per_deviation"}, "scaler")
        return cls(
            text_tuple(data, "series"),
            array(data, "centre", 2),
            array(data, "scale", 2),
            number(data, "clip"),
            array(data, "per_deviation", 1),
        )


def _centre_scale(column: Float64) -> tuple[float, float, float] | None:
    """Centre and scale of finite values, and the scale in standard deviations; None where there is nothing.

    The scale of constants is 0.
    """
    if not column.size:
        return None
    low, middle, high = np.quantile(column, (0.25, 0.5, 0.75))
    # Dividing first: the square of a value near the end of float64 would overflow.
    magnitude = float(np.abs(column).max())
    unit = magnitude or 1.0
    deviation = float(np.std(column / unit)) * unit
    if deviation <= RELATIVE_NOISE * magnitude:
        return float(middle), 0.0, 1.0
    spread = float(max((high / unit - low / unit) / NORMAL_IQR * unit, STD_SHARE * deviation))
    return float(middle), spread, spread / deviation
