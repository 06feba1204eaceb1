"""Injecting changes into ordinary rows, one after the other, with ordinary rows between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.injection.kinds import KINDS, Kind, find
from models.injection.place import Bool, Float64, Int64, Place
from models.scaling import RELATIVE_NOISE, Scaler

LEAST_LONG, MOST_LONG = 8, 200
LONG_SHARE = 12
"""A long change takes at most one in so many rows, within these bounds."""
BRIEF_ROWS = 3
MOST_LEAD = 256
"""Enough for most memories to fill, and for a series to be measured that a model does not know."""
SLOW_FACTOR = 2
"""A slow change lasts so many times as long as a long one at most may, and up to half as much again."""
LEAST_GAP = 16
"""Ordinary rows between two changes, at least; up to twice that."""
WAKE_ROWS = 30
"""Rows after a change that are not judged: a score that averages is right to be raised there."""
LEAST_CHANGE = 0.2
"""Mean change of the rows of a fault, in spreads of a channel: less would be no fault."""
RELATED = 0.5
"""Correlation with another channel from which on a channel goes with others."""
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was made.

    Attributes:
        kind: Its name in `KINDS`.
        start: First row.
        stop: First row after it.
        channels: Numbers of the channels.
    """

    kind: str
    start: int
    stop: int
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """Rows with changes.

    Attributes:
        values: float64[rows, channels]; NaN where it was.
        labels: bool[rows]; true within faults.
        judged: bool[rows]; false in the wake of a change, and before the first row that could change.
        changes: In order, faults and benign ones.
    """

    values: Float64
    labels: Bool
    judged: Bool
    changes: tuple[Change, ...]


def inject(
    values: Float64, seed: int | Sequence[int], kinds: Sequence[str] = tuple(KINDS), *, lead: int | None = None,
    spread: Float64 | None = None,
) -> Injected:  # fmt: skip
    """Deal changes out over a stretch of ordinary rows.

    The same arguments give the same changes. A kind that the data does not allow is passed over, such as a change of
    correlation where there is but one channel.

    Args:
        values: float64[rows, channels], NaN where missing.
        seed: Of everything that is drawn.
        kinds: Names in `KINDS`; dealt in this order, and again from the first.
        lead: Rows at the beginning that stay as they are; a fifth, at most `MOST_LEAD`, without it.
        spread: float64[channels]; how much each channel varies, measured here without it.

    Raises:
        SpecError: there is no such kind.
    """
    known = [find(name) for name in kinds]
    values = np.asarray(values, np.float64)
    draw = np.random.default_rng(seed)
    rows = len(values)
    begin = max(1, min(MOST_LEAD, rows // 5) if lead is None else lead)
    changed, labels, judged = values.copy(), np.zeros(rows, np.bool_), np.ones(rows, np.bool_)
    judged[:begin] = False
    if not known or not np.isfinite(values).any():
        return Injected(changed, labels, judged, ())
    spread = Scaler.fit({"": values}).scale[1] if spread is None else spread
    eligible = _Eligible.of(values)
    longest = min(max((rows - begin) // LONG_SHARE, LEAST_LONG), MOST_LONG)
    changes: list[Change] = []
    number = failures = 0
    while failures < len(known):
        name, kind = kinds[number % len(known)], known[number % len(known)]
        number += 1
        start = begin + int(draw.integers(LEAST_GAP, 2 * LEAST_GAP + 1))
        made = _make(values, kind, start, longest, eligible, spread, draw)
        if made is None:
            failures += 1
            continue
        failures = 0
        place, new = made
        changed[place.start : place.stop, place.channels] = np.where(np.isnan(place.now), np.nan, new)
        labels[place.start : place.stop] = kind.is_fault
        judged[place.stop : place.stop + WAKE_ROWS] = False
        changes.append(Change(name, place.start, place.stop, tuple(place.channels.tolist())))
        begin = place.stop + WAKE_ROWS
    return Injected(changed, labels, judged, tuple(changes))


@dataclass(frozen=True, slots=True, eq=False)
class _Eligible:
    """int64[k]; channels by what can happen to them."""

    moving: Int64
    flowing: Int64
    related: Int64

    def of_kind(self, kind: Kind) -> tuple[Int64, int]:
        """Those of a kind, and how many of them at most may change together."""
        if kind.channels == "related":
            # One that goes with the others stays behind, lest they all keep together.
            return self.related, self.related.size - 1
        found = self.flowing if kind.channels == "flowing" else self.moving
        return found, found.size

    @classmethod
    def of(cls, values: Float64) -> _Eligible:
        known = ~np.isnan(values)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        centred = np.where(known, values - mean, 0.0)
        size = np.sqrt((centred**2).sum(axis=0))
        moves = size > RELATIVE_NOISE * np.maximum(np.abs(filled).max(axis=0), np.finfo(np.float64).tiny)
        both = known[1:] & known[:-1]
        rests = ((np.diff(filled, axis=0) == 0) & both).sum(axis=0)
        unit = centred / np.where(moves, size, 1.0)
        together = np.abs(unit.T @ unit) - np.eye(values.shape[1])
        related = moves & (together.max(axis=0) >= RELATED) if values.shape[1] > 1 else np.zeros(1, np.bool_)
        flows = moves & (rests < both.sum(axis=0) / 2)
        return cls(np.flatnonzero(moves), np.flatnonzero(flows), np.flatnonzero(related))


def _make(
    values: Float64, kind: Kind, start: int, longest: int, eligible: _Eligible, spread: Float64,
    draw: np.random.Generator,
) -> tuple[Place, Float64] | None:  # fmt: skip
    """A change of that kind from that row on; None where there is no room, or nothing changes."""
    candidates, most = eligible.of_kind(kind)
    for _ in range(_TRIES):
        length = _length(kind, longest, draw)
        if start + length + WAKE_ROWS > len(values) or most < 1:
            return None
        channels = candidates if kind.channels == "all" else _choose(candidates, most, draw)
        place = Place(values, start, start + length, channels, spread[channels], draw)
        new = kind.change(place)
        change = np.abs(np.where(np.isnan(new), place.now, new) - place.now) / place.spread
        size = float(np.nan_to_num(change).mean(axis=0).max())
        if size >= (LEAST_CHANGE if kind.is_fault else np.finfo(np.float64).tiny):
            return place, new
    return None


def _length(kind: Kind, longest: int, draw: np.random.Generator) -> int:
    if kind.lasts == "brief":
        return int(draw.integers(1, BRIEF_ROWS + 1))
    if kind.lasts == "slow":
        return int(draw.integers(SLOW_FACTOR * longest, 3 * SLOW_FACTOR * longest // 2 + 1))
    return round(float(np.exp(draw.uniform(np.log(LEAST_LONG), np.log(longest)))))


def _choose(candidates: Int64, most: int, draw: np.random.Generator) -> Int64:
    """One of them in half of the cases, else several, now and then as many as may be."""
    luck = draw.uniform()
    count = 1 if luck < 0.5 else most if luck > 0.8 else int(draw.integers(1, max(2, most // 2) + 1))
    return np.sort(draw.choice(candidates, min(count, most), replace=False))
