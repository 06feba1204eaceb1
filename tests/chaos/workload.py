"""Telemetry with faults built in, by seed: incidents open, change and close all the time, and some records are bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHANNELS = ("flow", "pressure")
PERIOD_SECONDS = 10
START_MS = 1_700_000_000_000
_STEPS_PER_CYCLE = 24
_BLOCK_ROUNDS = 240
_BAD_SHARE = 0.006
_LATE_SHARE = 0.004
_MISSING_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Input:
    """One record to publish."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def healthy(seed: int, rows: int, first: int = 0) -> npt.NDArray[np.float64]:
    """float64[rows, 2]: two channels in units of very different size, a cycle and some noise."""
    rng = np.random.default_rng([seed, first])
    wave = 2 * np.pi * np.arange(first, first + rows) / _STEPS_PER_CYCLE
    values = np.stack([50 + 10 * np.sin(wave), 1e5 + 2e3 * np.cos(wave)], axis=1)
    noisy: npt.NDArray[np.float64] = values + rng.normal(size=values.shape) * [0.5, 100.0]
    return noisy


@dataclass(frozen=True, slots=True)
class Workload:
    """An endless stream of records; the same for the same arguments.

    Attributes:
        seed: Of values, faults and bad records.
        partitions: Of the input topic; series number n is in partition ``n % partitions``.
        series: How many there are.
    """

    seed: int
    partitions: int
    series: int

    def records(self) -> Iterator[Input]:
        """Rounds of one sample for each series, with the irregularities of real telemetry."""
        rng = np.random.default_rng([self.seed, 1])
        first = 0
        while True:
            values = [self._with_faults(number, first) for number in range(self.series)]
            chances = rng.random((_BLOCK_ROUNDS, self.series))
            kinds = rng.integers(0, 1 << 30, (_BLOCK_ROUNDS, self.series))
            for row in range(_BLOCK_ROUNDS):
                for number in range(self.series):
                    if not self._silent(number, first + row):
                        yield from self._sample(
                            number, first + row, values[number][row], chances[row, number], int(kinds[row, number])
                        )
            first += _BLOCK_ROUNDS

    def _with_faults(self, number: int, first: int) -> npt.NDArray[np.float64]:
        values = healthy(self.seed * 1000 + number, _BLOCK_ROUNDS, first)
        rng = np.random.default_rng([self.seed, 2, number, first])
        at = int(rng.integers(5, 40))
        while at < _BLOCK_ROUNDS:
            length = int(rng.integers(4, 22))
            channel = int(rng.integers(0, len(CHANNELS)))
            size = rng.uniform(3, 14) * (10 if channel == 0 else 2e3)
            # It grows while it lasts, so that severity rises and updates come.
            stop = min(at + length, _BLOCK_ROUNDS)
            values[at:stop, channel] += size * np.linspace(0.4, 1.0, stop - at)
            at += length + int(rng.integers(15, 60))
        return values

    def _silent(self, number: int, row: int) -> bool:
        """Some series pause for long enough to be forgotten, others for long enough that their window begins anew."""
        if number % 9 == 4:
            return row % 700 >= 450
        return number % 5 == 2 and row % 130 in range(60, 72)

    def _sample(
        self, number: int, row: int, values: npt.NDArray[np.float64], chance: float, kind: int
    ) -> Iterator[Input]:
        partition = number % self.partitions
        key = f"unit-{number:02}".encode()
        at = START_MS + row * PERIOD_SECONDS * 1000
        fields: dict[str, object] = dict(zip(CHANNELS, values.tolist(), strict=True))
        if chance < _BAD_SHARE:
            yield Input(partition, *_bad(key, kind), at)
        elif chance < _BAD_SHARE + _LATE_SHARE:
            yield Input(partition, key, json.dumps(fields).encode(), at - (kind % 4) * PERIOD_SECONDS * 1000)
        elif chance < _BAD_SHARE + _LATE_SHARE + _MISSING_SHARE:
            if kind % 2:
                fields[CHANNELS[kind % len(CHANNELS)]] = None
                yield Input(partition, key, json.dumps(fields).encode(), at)
            return
        yield Input(partition, key, json.dumps(fields).encode(), at)


def _bad(key: bytes, kind: int) -> tuple[bytes | None, bytes | None]:
    values: tuple[bytes | None, ...] = (
        b"not json at all", b"\xff\xfe\xfd", None, b"[1, 2, 3]", b'{"flow": "much", "pressure": 1}',
        b"{}", b'{"flow": 1e999, "pressure": 2}',
    )  # fmt: skip
    return (None, b'{"flow": 1, "pressure": 2}') if kind % 8 == 7 else (key, values[kind % len(values)])
