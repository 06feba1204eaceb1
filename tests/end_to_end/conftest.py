"""A small trained model, a topic of telemetry that it knows, and the command as users run it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import write_bundle
from models.calibration import CalibrationOptions
from models.spec import ModelSpec
from models.training import TrainOptions, train
from tests.plugins.made_once import MadeOnce
from tests.support.commands import Command, status_of
from tests.worker.support import Cluster, cluster

__all__ = ["cluster"]

CHANNELS = ("flow", "pressure", "temperature")
SERIES = ("pump-1", "pump-2", "pump-3")
PERIOD_SECONDS = 10
START_NS = 1_700_000_000 * 1_000_000_000
FAULTS = {"pump-1": [(150, 170), (300, 320)], "pump-2": [(200, 230)], "pump-3": []}


def telemetry(seed: int, rows: int, faults: list[tuple[int, int]] | None = None) -> np.ndarray:
    """float64[rows, 3] in units of very different size; faults freeze the flow high while the rest goes on."""
    rng = np.random.default_rng(seed)
    steps = np.arange(rows)
    wave = np.sin(2 * np.pi * steps / 24)
    values = np.stack([50 + 10 * wave, 1e5 + 2e3 * np.roll(wave, 6), 300 + 3 * wave], axis=1)
    values += rng.normal(size=values.shape) * [0.5, 100, 0.15]
    for start, stop in faults or []:
        values[start:stop, 0] = 120.0
    return values


@pytest.fixture(scope="session")
def bundle_dir(made_once: MadeOnce) -> Path:
    """Trained once for the whole run; how well it does is not what is tested here."""
    return made_once("pumps", train_pumps)


def train_pumps(path: Path) -> None:
    times = START_NS - (600 - np.arange(600, dtype=np.int64)) * PERIOD_SECONDS * 1_000_000_000
    data = {name: (times, telemetry(number, 600)) for number, name in enumerate(SERIES[:2])}
    spec = ModelSpec(channels=CHANNELS, window=16, period_seconds=PERIOD_SECONDS, units=12, latent=4)
    trained = train(data, spec, TrainOptions(epochs=8), calibration=CalibrationOptions(risk=0.002), warm_up=64)
    write_bundle(path, trained, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def records(series: str, rows: int = 400) -> list[tuple[int, bytes]]:
    """Timestamps in milliseconds and JSON values of a series' live telemetry."""
    values = telemetry(100 + SERIES.index(series), rows, FAULTS[series])
    start_ms = START_NS // 1_000_000
    return [
        (start_ms + i * PERIOD_SECONDS * 1000, json.dumps(dict(zip(CHANNELS, row, strict=True))).encode())
        for i, row in enumerate(values.tolist())
    ]


@dataclass
class Detector:
    """The ``detector`` command in a directory of its own."""

    folder: Path
    python: Path = Path(sys.executable)
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def kill(self) -> None:
        """Whatever a failed test left running."""
        for process in self.started:
            process.kill()
            process.communicate()

    def run(self, *arguments: str | Path, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), "-m", "detector", *map(str, arguments)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def here(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """What `run` gives, in this process: to start one takes longer than most commands, with Keras much longer.

        An error that a command does not expect is the test's.
        """
        words = [*map(str, arguments)]
        output, errors = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            status = status_of(*words)
        assert isinstance(status, int)
        return subprocess.CompletedProcess(words, status, output.getvalue(), errors.getvalue())

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(self.python), "-m", "detector", *map(str, arguments)],
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(process)
        return process


@pytest.fixture
def detector(tmp_path: Path) -> Iterator[Detector]:
    found = Detector(tmp_path)
    yield found
    found.kill()


@pytest.fixture
def usage_error(command: Command) -> Callable[..., str]:
    """``usage_error(argument, ...)``: what the command says, on one line, when it ends with status 2."""

    def run(*arguments: object) -> str:
        ended = command(*arguments)
        assert ended.code == 2, (arguments, ended.err)
        return ended.said

    return run


@pytest.fixture
def published(cluster: Cluster) -> Cluster:
    """All series, interleaved in time as they would arrive; pump-2 in partition 1."""
    streams = {series: records(series) for series in SERIES}
    for index in range(400):
        for series, items in streams.items():
            timestamp, value = items[index]
            cluster.producer.send(
                cluster.input,
                key=series.encode(),
                value=value,
                timestamp_ms=timestamp,
                partition=int(series == "pump-2"),
            )
    cluster.producer.flush()
    return cluster


@pytest.fixture
def config(cluster: Cluster, bundle_dir: Path, tmp_path: Path) -> Path:
    """A worker's configuration; the worker commits often so that it can be stopped in the middle."""
    path = tmp_path / "detector.yaml"
    path.write_text(json.dumps(settings_document(cluster, bundle_dir)))
    return path


def settings_document(cluster: Cluster, bundle_dir: Path) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": cluster.bootstrap, "connect_timeout_seconds": 3},
        "worker": {
            "group": f"{cluster.name}.group", "instance": "one", "session_timeout_seconds": 6,
            "max_poll_records": 50, "commit_interval_seconds": 0.05,
        },
        "topics": {
            "events": f"{cluster.name}.events", "dead_letters": f"{cluster.name}.dead-letters",
            "state": f"{cluster.name}.state", "epochs": f"{cluster.name}.epochs",
        },
        "http": {"port": 0},
        "log": {"format": "json"},
        "streams": [{"name": "pumps", "topic": cluster.input, "model": str(bundle_dir)}],
    }  # fmt: skip
