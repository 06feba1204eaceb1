"""Replays of a small model over files with names that a page must not take for its own, and their reports."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import load_bundle
from models.bundle.recalibrated import write_recalibrated
from tests.cli.conftest import CREATED, Made, made
from tests.support.commands import Command, status_of

__all__ = ["made"]

START = 1_700_000_100
STEP_SECONDS = 300
ROWS = 700
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
NAMES = ("web-1", "web-2 $x^2$ & more", HOSTILE, "quiet")


@dataclass(frozen=True)
class Replayed:
    """A replay: its page, and its summary for machines."""

    page: Path
    document: dict[str, Any]


def write_telemetry(path: Path) -> None:
    """Small walks, all but the last with a leap that lasts; the second falls silent."""
    random = np.random.default_rng(5)
    rows = []
    for number, name in enumerate(NAMES):
        walk = np.cumsum(random.normal(size=(ROWS, 2)) * 0.05, axis=0)
        if name != "quiet":
            begin = 200 + 60 * number
            walk[begin : begin + 30 + 20 * number, number % 2] += 8 + 4 * number
        stop = ROWS - 150 if number == 1 else ROWS
        rows += [(START + STEP_SECONDS * i, name, *walk[i].tolist()) for i in range(stop)]
    with path.open("w") as file:
        for at, name, cpu, memory in sorted(rows):
            file.write(json.dumps({"timestamp": at, "host": name, "cpu": cpu, "memory": memory}) + "\n")


@pytest.fixture(scope="session")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("telemetry") / "web.jsonl"
    write_telemetry(path)
    return path


@pytest.fixture(scope="session")
def other_model(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with twice the threshold, which is another bundle."""
    bundle = load_bundle(made.path)
    path = tmp_path_factory.mktemp("other") / "bundle"
    calibration = replace(bundle.calibration, threshold=2 * bundle.calibration.threshold)
    write_recalibrated(path, bundle, calibration, bundle.habits, created_at=CREATED)
    return path


def replayed(telemetry: Path, model: Path, folder: Path, *arguments: object) -> Replayed:
    """What ``detector replay --report`` makes of the telemetry."""
    page = folder / "report.html"
    given = ["replay", telemetry, "--series-column", "host", "--model", model, "--report", page, "--json", *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert status_of(*given) == 0
    return Replayed(page, json.loads(said.getvalue()))


@pytest.fixture
def usage(command: Command) -> Callable[..., str]:
    """``usage(code, argument, ...)``: what the command says, on one line, when it ends with that status."""

    def run(code: int, *arguments: object) -> str:
        ended = command(*arguments)
        assert ended.code == code, ended.err
        return ended.said

    return run
