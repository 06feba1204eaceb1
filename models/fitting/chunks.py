"""Chunks of training data for a model with carried memory: where they lie, and in which order they are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.fitting.windows import SeriesWindows
from models.scaling import Scaler

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_OUTSIDE = 0
"""The first row of a bank belongs to no series and was never observed; it stands for whatever is outside a segment."""
_MOST_RUN_CHUNKS = 16
"""A lane's memory lives for so many chunks at most in training, so that a short epoch still draws from everywhere."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """One chunk for each of several lanes.

    Attributes:
        rows: float32[lanes, window - 1 + steps + 1, channels], without NaN: the rows that are read, those before them
            that belong to the first windows, and the one after them, which is predicted last.
        observed: bool, of the same shape.
        counted: bool[lanes, steps]; the loss is taken where it is true: the memory is warm, and the window is complete.
        fresh: bool[lanes]; the memory begins anew, or else goes on from the lane's last chunk.
    """

    rows: Float32
    observed: Bool
    counted: Bool
    fresh: Bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows of one segment in the bank, ``start`` to before ``stop``."""

    start: int
    stop: int

    def chunks(self, chunk: int) -> int:
        return math.ceil((self.stop - self.start) / chunk)


def fill_forward(scaled: Float32, window: int) -> tuple[Float32, Bool]:
    """Fill what was not observed as live: with the last value of the ``window`` rows that end there, or with 0.

    Args:
        scaled: float32[rows, channels] of one segment, NaN where not observed.
        window: Rows in a window.

    Returns:
        float32[rows, channels] without NaN, and bool[rows, channels]: true where observed.
    """
    observed = ~np.isnan(scaled)
    steps = np.arange(len(scaled))[:, None]
    last = np.maximum.accumulate(np.where(observed, steps, -window), axis=0)
    filled = np.take_along_axis(scaled, np.maximum(last, 0), axis=0)
    filled[steps - last >= window] = 0.0
    return filled, observed


class _Place(NamedTuple):
    """Rows of the bank that one lane reads in one batch: ``start`` to before ``stop``.

    Attributes:
        limit: Row before which all ends that may be looked at.
        fresh: Whether the memory begins anew.
        from_row: First row at which the loss may be taken.
    """

    start: int
    stop: int
    limit: int
    fresh: bool
    from_row: int


_NOWHERE = _Place(_OUTSIDE, _OUTSIDE, _OUTSIDE, True, _OUTSIDE)


class ChunkBank:
    """All rows of all series, scaled and filled once, and the chunks that are cut from them.

    Args:
        series: Windows of each series; their ends say where the loss may be taken.
        scaler: Fitted scaler.
        window: Rows in a window.
        chunk: Rows that are read in one step of the optimiser, by each lane.
        lanes: Lanes that run side by side.
    """

    def __init__(
        self, series: Mapping[str, SeriesWindows], scaler: Scaler, window: int, chunk: int, lanes: int
    ) -> None:
        channels = scaler.centre.shape[1]
        rows, observed = [np.zeros((1, channels), np.float32)], [np.zeros((1, channels), np.bool_)]
        self._window = window
        self._train: list[_Stretch] = []
        self._held_out: list[_Stretch] = []
        train_ends: list[Int64] = []
        held_out_ends: list[Int64] = []
        first: list[Int64] = [np.zeros(1, np.int64)]
        base = 1
        for name, laid in series.items():
            row = np.array([scaler.row(name)])
            for number, segment in enumerate(laid.segments):
                filled, seen = fill_forward(scaler.apply(segment.values[None], row)[0], window)
                rows.append(filled)
                observed.append(seen)
                first.append(np.full(len(filled), base))
                train, held_out = (part[part[:, 0] == number, 1] for part in (laid.train, laid.held_out))
                train_ends.append(base + train)
                held_out_ends.append(base + held_out)
                if train.size:
                    self._train.append(_Stretch(base, base + int(train[-1]) + 1))
                if held_out.size:
                    self._held_out.append(_Stretch(base + int(held_out[0]), base + int(held_out[-1]) + 1))
                base += len(filled)
        self._rows, self._observed = np.concatenate(rows), np.concatenate(observed)
        self._first = np.concatenate(first)
        self.train_ends: Int64 = np.concatenate(train_ends)
        """int64[n], rows of the bank at which the training windows end."""
        self._counted_train, self._counted_held_out = np.zeros((2, len(self._rows)), np.bool_)
        self._counted_train[self.train_ends] = True
        self._counted_held_out[np.concatenate(held_out_ends)] = True
        self._chunk = min(chunk, max(stretch.stop - stretch.start for stretch in self._train))
        self._lanes = min(lanes, sum(stretch.chunks(self._chunk) for stretch in self._train))

    @property
    def lanes(self) -> int:
        """Lanes of every batch of `train`."""
        return self._lanes

    @property
    def batches_per_pass(self) -> int:
        """Batches of one pass over all training rows, about."""
        return math.ceil(sum(stretch.chunks(self._chunk) for stretch in self._train) / self._lanes)

    def train(self, queues: Sequence[Sequence[_Place]]) -> Iterator[Chunks]:
        """The chunks of a plan from `schedule`, one of each lane at a time."""
        for number in range(max(len(queue) for queue in queues)):
            yield self._gather(
                [queue[number] if number < len(queue) else _NOWHERE for queue in queues],
                self._chunk,
                self._counted_train,
            )

    def schedule(self, random: np.random.Generator) -> list[list[_Place]]:
        """Plan one pass over all training rows: by lane, its chunks in order.

        Long segments are cut into as many lanes as it takes to keep all busy; each reads its chunks in order, with the
        state carried from one to the next, and then takes over another. Where the cuts lie is drawn anew each time.
        """
        chunk, warm = self._chunk, self._window - 1
        longest = chunk * min(self.batches_per_pass, _MOST_RUN_CHUNKS)
        runs: list[tuple[int, int, int]] = []
        for stretch in self._train:
            start = stretch.start
            spare = stretch.stop - start - 2 * chunk
            if spare > 0:
                start += int(random.integers(min(chunk, spare)))
            while start < stretch.stop:
                stop = min(start + longest, stretch.stop)
                # What is left at the end is too short to warm up in: it goes to the run before it.
                if stretch.stop - stop < 2 * self._window:
                    stop = stretch.stop
                runs.append((start, stop, stretch.stop))
                start = stop
        queues: list[list[_Place]] = [[] for _ in range(self._lanes)]
        for run in random.permutation(len(runs)):
            begin, stop, limit = runs[run]
            min(queues, key=len).extend(
                _Place(start, min(start + chunk, stop), limit, start == begin, begin + warm)
                for start in range(begin, stop, chunk)
            )
        return queues

    def held_out(self, most_chunks: int, batch: int) -> Iterator[Chunks]:
        """Held-out rows, in pieces that are each read by a fresh memory, after a chunk that warms it up.

        Args:
            most_chunks: At most so many pieces, spread evenly.
            batch: Pieces in a batch.
        """
        chunk = self._chunk
        pieces = [
            _Place(
                max(int(self._first[start]), start - chunk), min(start + chunk, stretch.stop), stretch.stop, True, start
            )
            for stretch in self._held_out
            for start in range(stretch.start, stretch.stop, chunk)
        ]
        if len(pieces) > most_chunks:
            pieces = [pieces[index] for index in np.linspace(0, len(pieces) - 1, most_chunks).astype(np.int64)]
        for begin in range(0, len(pieces), batch):
            yield self._gather(pieces[begin : begin + batch], 2 * chunk, self._counted_held_out)

    def _gather(self, places: Sequence[_Place], steps: int, counted: Bool) -> Chunks:
        start, stop, limit, fresh, from_row = (np.array(column)[:, None] for column in zip(*places, strict=True))
        index = start + np.arange(1 - self._window, steps + 1)
        # Rows of another segment are not there, and neither are those that are kept apart from this part of it.
        there = (index >= self._first[start]) & (index < limit)
        index[~there] = _OUTSIDE
        read = index[:, self._window - 1 : -1]
        return Chunks(
            rows=self._rows[index],
            observed=self._observed[index],
            counted=counted[read] & (read >= from_row) & (read < stop),
            fresh=fresh[:, 0],
        )

    def tails(self, rows: int, most: int) -> Float32:
        """The last rows of training windows, spread evenly.

        Args:
            rows: Of each window; one more than a window has is possible where the segment goes back so far.
            most: At most so many windows.

        Returns:
            float32[n, rows, channels].
        """
        ends = self.train_ends[self.train_ends - self._first[self.train_ends] >= rows - 1]
        if ends.size > most:
            ends = ends[np.linspace(0, ends.size - 1, most).astype(np.int64)]
        found: Float32 = self._rows[ends[:, None] + np.arange(1 - rows, 1)]
        return found
