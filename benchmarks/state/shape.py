"""How many series, of what, and the settings of the worker that has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import sin

import numpy as np

from detector.settings import Settings

TOPIC, STREAM = "benchmark", "benchmark"
WINDOW = 64
PERIOD_SECONDS = 10
START_MS = 1_700_000_000_000
_NOISE: list[list[float]] = np.random.default_rng(0).normal(0, 1, (4099, 61)).tolist()


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the input.

    Attributes:
        series: All in one partition.
        channels: Of each.
        carried_bytes: What a model carries along each, in float32 of all digits; 0: nothing.
    """

    series: int
    channels: int
    carried_bytes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the channels."""
        return tuple(f"channel_{number}" for number in range(self.channels))

    @property
    def state_dtype(self) -> np.dtype[np.void] | None:
        """Structure of what is carried."""
        return np.dtype([("state", "<f4", (self.carried_bytes // 4,))]) if self.carried_bytes else None

    def series_major(self, rows: int) -> Iterator[tuple[int, bytes, bytes]]:
        """Rows of one series after the other, as devices deliver what they gathered: timestamp, key, value."""
        for number in range(self.series):
            for row in range(rows):
                yield self._record(number, row)

    def row_major(self, first: int, records: int) -> Iterator[tuple[int, bytes, bytes]]:
        """All series in turn, row by row, from row ``first`` on."""
        for index in range(records):
            row, number = divmod(index, self.series)
            yield self._record(number, first + row)

    def _record(self, number: int, row: int) -> tuple[int, bytes, bytes]:
        noise = _NOISE[(7919 * number + row) % len(_NOISE)]
        level = 50 + 10 * sin(row / 57 + number)
        fields = {name: round(level + noise[at % len(noise)], 3) for at, name in enumerate(self.names)}
        return START_MS + row * PERIOD_SECONDS * 1000, f"host-{number:06}".encode(), json.dumps(fields).encode()


def settings(bootstrap: str, name: str, max_resident_series: int) -> Settings:
    """Of a worker with a group and state of its own."""
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": bootstrap},
            "worker": {
                "group": name,
                "instance": "one",
                "state": {"max_resident_series": max_resident_series},
            },
            "topics": {
                "events": f"{name}.events",
                "dead_letters": f"{name}.dead-letters",
                "state": f"{name}.state",
                "epochs": f"{name}.epochs",
            },
            "http": {"port": 0},
            "log": {"level": "warning"},
            "streams": [{"name": STREAM, "topic": TOPIC, "model": "none"}],
        }
    )
