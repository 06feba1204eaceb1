"""The last samples of many series, within a bound of memory that they share."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np

from detector.stretches.samples import Samples

LEAST = 8
"""So many samples a series are worth their memory; with fewer, further series get none."""
Key = TypeVar("Key", bound=Hashable)


class Rings(Generic[Key]):
    """Keeps the last samples of each series; the more series, the fewer of each.

    Args:
        length: Samples of each series that are wanted.
        most_bytes: Bound of memory for all of them.
    """

    def __init__(self, length: int, most_bytes: int) -> None:
        self._length = length
        self._most_bytes = most_bytes
        self._rings: dict[Key, _Ring] = {}
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Memory in use."""
        return self._bytes

    def extend(self, key: Key, samples: Samples) -> None:
        """Take the next samples of a series; samples of another structure replace those before."""
        if not self._length:
            return
        ring = self._rings.get(key)
        if ring is not None and ring.rows.dtype != samples.dtype:
            self._bytes -= self._rings.pop(key).rows.nbytes
            ring = None
        if ring is None:
            ring = self._begin(key, samples.dtype)
        if ring is not None:
            ring.extend(samples)

    def last(self, key: Key, dtype: np.dtype[np.void]) -> Samples:
        """What is kept of a series in this structure, oldest first, in a copy."""
        ring = self._rings.get(key)
        return np.empty(0, dtype) if ring is None or ring.rows.dtype != dtype else ring.last()

    def _begin(self, key: Key, dtype: np.dtype[np.void]) -> _Ring | None:
        while self._bytes + self._length * dtype.itemsize > self._most_bytes:
            if self._length <= LEAST:
                return None
            self._length = max(LEAST, self._length // 2)
            self._rings = {name: ring.shorter(self._length) for name, ring in self._rings.items()}
            self._bytes = sum(ring.rows.nbytes for ring in self._rings.values())
        ring = self._rings[key] = _Ring(self._length, dtype)
        self._bytes += ring.rows.nbytes
        return ring


class _Ring:
    """The last rows of one series."""

    __slots__ = ("_count", "rows")

    def __init__(self, length: int, dtype: np.dtype[np.void]) -> None:
        self.rows: Samples = np.empty(length, dtype)
        self._count = 0

    def extend(self, samples: Samples) -> None:
        length = len(self.rows)
        samples = samples[-length:]
        begin = self._count % length
        first = samples[: length - begin]
        self.rows[begin : begin + len(first)] = first
        if len(first) < len(samples):
            self.rows[: len(samples) - len(first)] = samples[len(first) :]
        self._count += len(samples)

    def last(self) -> Samples:
        length = len(self.rows)
        if self._count <= length:
            return self.rows[: self._count].copy()
        return np.roll(self.rows, -(self._count % length))

    def shorter(self, length: int) -> _Ring:
        found = _Ring(length, self.rows.dtype)
        found.extend(self.last())
        return found
