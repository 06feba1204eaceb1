"""Averages of a series' errors over its last samples, at several scales, in a state of fixed size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.memory import Memory, StateType

Float64 = npt.NDArray[np.float64]

MOST_CELLS = 1 << 21
"""Errors by sample and channel that are worked on at a time: 16 MiB an array."""


class TrailingMeans:
    """Means over the last 1, 10, 30, … errors of a series, and the share of each channel in them.

    The errors of the longest scale are kept, and added up from the newest to the oldest: a running sum would keep the
    rounding errors of a large fault for ever, and nothing is to depend on what is older. The share of each channel in
    an error is kept as a byte, which is exact enough to say which channel is to blame.

    Args:
        scales: Numbers of samples, ascending, each at least 1.
        channels: Number of channels.

    Attributes:
        state_dtype: None if the only scale is 1.
    """

    def __init__(self, scales: tuple[int, ...], channels: int) -> None:
        self._scales = scales
        self._channels = channels
        self._long = [(index, scale) for index, scale in enumerate(scales) if scale > 1]
        self.state_dtype: StateType | None = None
        if self._long:
            fields = [
                ("count", "<i4"),
                ("recent", "<f8", (scales[-1],)),
                ("shares", "u1", (scales[-1], channels)),
            ]
            self.state_dtype = np.dtype(fields)

    def advance(self, errors: Float64, shares: Float64, memory: Memory | None) -> tuple[Float64, Float64]:
        """Take the errors of a batch in.

        Args:
            errors: float64[n]; NaN where unknown: such a sample is left out, as if it had not been.
            shares: float64[n, channels], not negative, which add up to the errors.
            memory: Of the windows' series; None: each is the first of its own.

        Returns:
            float64[n, scales], the means; float64[n, scales, channels], which add up to the means.
        """
        count = len(errors)
        means = np.repeat(errors[:, None], len(self._scales), axis=1)
        parts = np.repeat(shares[:, None], len(self._scales), axis=1)
        if memory is None or not self._long:
            return means, parts
        # What is looked at for one window is as large as the longest scale times the channels; for a whole batch it may
        # be more than there is room for.
        most = max(1, MOST_CELLS // (self._scales[-1] * self._channels))
        for whole in memory.rounds():
            for start in range(0, len(whole), most):
                chosen = whole[start : start + most]
                self._round(errors[chosen], shares[chosen], memory, chosen, means, parts)
        assert means.shape == (count, len(self._scales))  # noqa: S101 - for the reader
        return means, parts

    def _round(
        self,
        errors: Float64,
        shares: Float64,
        memory: Memory,
        chosen: npt.NDArray[np.integer],
        means: Float64,
        parts: Float64,
    ) -> None:
        slots = memory.slots[chosen]
        states = memory.states[slots]
        states[memory.steps[chosen] <= 0] = np.zeros((), states.dtype)
        known = ~np.isnan(errors)
        if not known.all():
            memory.states[slots] = states  # those that begin anew begin anew even so
            chosen, slots, states = chosen[known], slots[known], states[known]
            errors, shares = errors[known], shares[known]
        for name, newest in (("recent", errors), ("shares", _as_bytes(shares, errors))):
            states[name][:, 1:] = states[name][:, :-1].copy()
            states[name][:, 0] = newest
        states["count"] = np.minimum(states["count"] + 1, self._scales[-1])
        sums = np.cumsum(states["recent"], axis=1)
        weighted = np.cumsum(states["recent"][:, :, None] * states["shares"], axis=1)
        every = np.arange(len(errors))
        for index, scale in self._long:
            held = np.minimum(states["count"], scale)
            mean = sums[every, held - 1] / held
            blamed = weighted[every, held - 1]
            total = np.cumsum(blamed, axis=1)[:, -1]
            ratio = np.divide(mean, total, out=np.zeros_like(mean), where=total > 0)
            means[chosen, index] = mean
            parts[chosen, index] = blamed * ratio[:, None]
        memory.states[slots] = states


def _as_bytes(shares: Float64, errors: Float64) -> npt.NDArray[np.uint8]:
    """uint8[n, channels]; how much of each error is each channel's, 255 for all of it."""
    whole = np.where(errors > 0, errors, 1.0)[:, None]
    found = np.clip(np.rint(255.0 * shares / whole), 0, 255).astype(np.uint8)
    # Of more than 510 channels, each may bear too little to show: then all do that bear anything.
    lost = ~found.any(axis=1)
    found[lost] = shares[lost] > 0
    return found
