"""Made-up telemetry, and a model that was trained on a little of it; speed depends on neither values nor weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.values import PlainRecord
from models.architectures import find
from models.bundle import Bundle, load_bundle, write_bundle
from models.spec import ModelSpec
from models.training import TrainOptions, train

CHANNELS = tuple(f"channel_{number}" for number in range(8))
WINDOWS = {"lstm": 64, "streaming": 16}
"""Samples in a window, by architecture: their defaults."""
UNITS = 64
PERIOD_SECONDS = 10
START_MS = 1_700_000_000_000
TRAINING_ROWS = 600


@dataclass(frozen=True, slots=True)
class Shape:
    """How many records, and how they are spread.

    Attributes:
        records: In all.
        series: Each gets as many records as the others, give or take one.
        partitions: A series lives in one of them.
    """

    records: int
    series: int = 200
    partitions: int = 4

    def windows(self, length: int) -> int:
        """Windows that these records complete: all rows of a series but the first ``length - 1``."""
        rows, more = divmod(self.records, self.series)
        return self.series * max(0, rows - length + 1) + (more if rows + 1 >= length else 0)


def values(rows: int, series: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Daily rhythms with noise.

    Returns:
        float64[rows, series, channels], rounded to what a sensor would send.
    """
    random = np.random.default_rng(seed)
    steps = np.arange(rows)[:, None, None] * (2 * np.pi * PERIOD_SECONDS / 3600)
    phase = random.uniform(0, 2 * np.pi, (1, series, len(CHANNELS)))
    found: npt.NDArray[np.float64] = np.round(
        50 + 10 * np.sin(steps + phase) + random.normal(0, 1, (rows, series, len(CHANNELS))), 3
    )
    return found


def records(shape: Shape, topic: str) -> Iterator[PlainRecord]:
    """Wide JSON records in order of time, all series at each step; offsets count by partition."""
    rows = -(-shape.records // shape.series)
    table = values(rows, shape.series).tolist()
    keys = [f"host-{number:04}".encode() for number in range(shape.series)]
    offsets = [0] * shape.partitions
    for index in range(shape.records):
        row, number = divmod(index, shape.series)
        partition = number % shape.partitions
        value = json.dumps(dict(zip(CHANNELS, table[row][number], strict=True))).encode()
        timestamp_ms = START_MS + row * PERIOD_SECONDS * 1000
        yield PlainRecord(topic, partition, offsets[partition], timestamp_ms, keys[number], value)
        offsets[partition] += 1


def make_model(path: Path, architecture: str) -> tuple[Bundle, Any]:
    """Train one short epoch, and write the bundle.

    Args:
        path: Where to.
        architecture: One of `WINDOWS`.

    Returns:
        The bundle as a worker loads it, and the Keras model itself.
    """
    times_ns = (START_MS + np.arange(TRAINING_ROWS) * PERIOD_SECONDS * 1000) * 1_000_000
    table = values(TRAINING_ROWS, 4, seed=1)
    data = {f"trained-{number}": (times_ns, table[:, number]) for number in range(table.shape[1])}
    spec = ModelSpec(
        channels=CHANNELS,
        architecture=architecture,
        window=WINDOWS[architecture],
        units=UNITS,
        latent=find(architecture).default_latent,
        period_seconds=float(PERIOD_SECONDS),
    )
    options = TrainOptions(epochs=1, max_windows_per_epoch=512, horizon_sequences=0)
    # The series of the benchmark are not those of the training, and are to be scored from their first window on.
    trained = train(data, spec, options, warm_up=0)
    write_bundle(path, trained, created_at=datetime.now(UTC))
    return load_bundle(path), trained.model
