"""The scale of a series that training never saw, measured on its own first samples.

One model serves many series, which differ in level and range more than in behaviour. A series that joins later gets a
centre and a scale of its own from its first samples, and is judged from then on; the measurement is then fixed, or a
slow fault would become the normal. After a long gap it begins anew, as everything that is carried along a series does.

A measurement that is fixed must not be spoiled by a value that is none, such as the -9999 or 1e30 of a sensor that was
not ready. So the lowest and the highest values of each channel are held back until the end, and count only if they lie
within the outer fences of the others (Tukey, "Exploratory Data Analysis", 1977): the range between the inner ones of
those held back, and three times its width to either side. What is ordinary always does, so that ordinary samples give
their plain mean and deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.memory import Int, Memory, StateType
from models.scaling import Scaler

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

LEAST_SHARE = 0.1
"""A scale is at least this share of the usual one: a channel that happened to rest meanwhile is not to alarm at its
first ordinary move."""
HELD_BACK = 8
"""Values of each channel that are held back at either end; all but the innermost may be far out without spoiling the
measurement."""
FENCE = 3.0
"""Widths of the inner range beyond which a value is far out; three interquartile ranges in Tukey's book."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Scales for a batch of windows.

    Attributes:
        ready: bool[n]; False while too little was seen.
        first: bool[n]; True for the first window of its series that is ready.
        centre: float64[n, channels]; meaningless where it is not ready.
        scale: float64[n, channels]; the same.
    """

    ready: Bool
    first: Bool
    centre: Float64
    scale: Float64


class WarmUp:
    """Measures mean and deviation of each channel over the first samples of a series (Welford, 1962).

    Args:
        samples: How many are looked at before the series is judged.
        centre: float64[channels], of all series together; for channels never observed meanwhile.
        scale: float64[channels], of all series together; for those and for channels that did not move.
        per_deviation: float64[channels]; how many standard deviations make the scale, as in series that were trained
            on (`models.scaling.Scaler`). One threshold serves all, so all have to be scaled alike.

    Attributes:
        state_dtype: How many rows were looked at; by channel how many values were seen, the lowest and the highest of
            them in their order, and mean and sum of squared differences of all others. Once the series is ready, its
            centre and scale stand in the place of these two.
    """

    def __init__(self, samples: int, centre: Float64, scale: Float64, per_deviation: Float64 | None = None) -> None:
        self._samples = samples
        self._centre, self._scale = centre, scale
        channels = centre.size
        self._per_deviation = np.ones(channels) if per_deviation is None else per_deviation
        self.state_dtype: StateType = np.dtype(
            [
                ("rows", "<i4"),
                ("seen", "<i4", (channels,)),
                ("middle", "<f8", (channels,)),
                ("spread", "<f8", (channels,)),
                ("held", "<f8", (channels, 2 * HELD_BACK)),
            ]
        )

    @classmethod
    def of(cls, samples: int, scaler: Scaler) -> WarmUp:
        """A warm-up that ends in scales like those of the series that a scaler was fitted on."""
        return cls(samples, scaler.centre[0], scaler.scale[0], scaler.per_deviation)

    def measure(self, values: Float64, chosen: Int, memory: Memory) -> Measured:
        """Look at the new rows of some windows of a batch.

        Args:
            values: float64[n, window, channels] of the whole batch, in the channels' own units, NaN where missing.
            chosen: int[m]; which windows.
            memory: Of the whole batch.

        Returns:
            For the ``m`` windows.
        """
        count, length = len(chosen), values.shape[1]
        measured = Measured(
            np.zeros(count, np.bool_), np.zeros(count, np.bool_),
            np.empty((count, values.shape[2])), np.empty((count, values.shape[2])),
        )  # fmt: skip
        mine = Memory(memory.states, memory.slots[chosen], memory.steps[chosen])
        for turn in mine.rounds():
            slots, steps = mine.slots[turn], mine.steps[turn]
            begins = steps <= 0
            # Most series were measured long ago, and what is held of them need not be touched.
            measuring = np.flatnonzero(begins | (mine.states["rows"][slots] < self._samples))
            states = mine.states[slots[measuring]]
            states[begins[measuring]] = np.zeros((), states.dtype)
            new = np.where(begins | (steps > length), length, steps)[measuring]
            for back in range(int(new.max(initial=0)), 0, -1):
                going = np.flatnonzero((new >= back) & (states["rows"] < self._samples))
                if going.size:
                    part = states[going]
                    _take_in(part, values[chosen[turn[measuring[going]]], -back])
                    states[going] = part
            ready = states["rows"] >= self._samples
            states["middle"][ready], states["spread"][ready] = self.scale(states[ready])
            mine.states[slots[measuring]] = states
            measured.first[turn[measuring[ready]]] = True
            measured.ready[turn] = mine.states["rows"][slots] >= self._samples
            measured.centre[turn], measured.scale[turn] = mine.states["middle"][slots], mine.states["spread"][slots]
        return measured

    def scale(self, states: npt.NDArray[np.void]) -> tuple[Float64, Float64]:
        """Centre and scale, float64[n, channels], of series that are still being measured."""
        seen, held = states["seen"], states["held"]
        count = np.minimum(seen, 2 * HELD_BACK)
        inner = np.minimum(seen // 4, HELD_BACK - 1)
        low = np.take_along_axis(held, inner[..., None], axis=2)
        high = np.take_along_axis(held, np.maximum(count - 1 - inner, 0)[..., None], axis=2)
        there = np.arange(2 * HELD_BACK) < count[..., None]
        # A value near the end of float64 overflows: it measures nothing, and would blind the channel for good.
        with np.errstate(over="ignore", invalid="ignore"):
            margin = FENCE * np.maximum(high - low, (LEAST_SHARE * self._scale)[:, None])
            counted = there & (held >= low - margin) & (held <= high + margin)
            others, taken = seen - count, counted.sum(axis=2)
            number = np.maximum(others + taken, 1)
            # Added in their order, which a plain sum may choose by the shape of the batch.
            centre = (others * states["middle"] + _sum(np.where(counted, held, 0.0))) / number
            squares = states["spread"] + others * (states["middle"] - centre) ** 2
            squares += _sum(np.where(counted, held - centre[..., None], 0.0) ** 2)
            deviation = np.sqrt(squares / number)
            measured = (others + taken > 0) & np.isfinite(centre) & np.isfinite(deviation)
        moved = measured & (deviation > 0)
        return (
            np.where(measured, centre, self._centre),
            np.where(moved, np.maximum(self._per_deviation * deviation, LEAST_SHARE * self._scale), self._scale),
        )


def _sum(values: Float64) -> Float64:
    result: Float64 = np.cumsum(values, axis=-1)[..., -1]
    return result


def _take_in(states: npt.NDArray[np.void], rows: Float64) -> None:
    """Take in a row of each series, float64[n, channels]."""
    known, before = np.isfinite(rows), states["seen"]
    there = np.arange(2 * HELD_BACK) < before[..., None]
    full = known & (before >= 2 * HELD_BACK)
    every = np.concatenate([np.where(there, states["held"], np.inf), np.where(known, rows, np.inf)[..., None]], axis=2)
    every.sort(axis=2)
    # Of those that were held and the new one, the one in the middle is neither low nor high; or there is room for all.
    gone = np.where(full, HELD_BACK, 2 * HELD_BACK)[..., None]
    states["held"] = np.where(np.arange(2 * HELD_BACK) < gone, every[..., :-1], every[..., 1:])
    states["rows"] += 1
    states["seen"] += known
    others = np.maximum(states["seen"] - 2 * HELD_BACK, 1)
    with np.errstate(over="ignore", invalid="ignore"):  # see `WarmUp.scale`
        difference = np.where(full, every[..., HELD_BACK] - states["middle"], 0.0)
        states["middle"] += difference / others
        states["spread"] += np.where(full, difference * (every[..., HELD_BACK] - states["middle"]), 0.0)
