"""A very small bundle, trained once for the tests of commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.plugins.made_once import MadeOnce
from tests.support.commands import Command, Ended

CREATED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CHANNELS = ("cpu", "memory")
WINDOW = 8


class Made(NamedTuple):
    """A bundle, and the training that it came from."""

    path: Path
    report: dict[str, Any]


def training_data() -> dict[str, tuple[Any, Any]]:
    """What `made` was trained on."""
    random = np.random.default_rng(3)
    times_ns = np.arange(120) * 300_000_000_000
    return {"web-1": (times_ns, np.cumsum(random.normal(size=(120, len(CHANNELS))), axis=0))}


@pytest.fixture
def models(command: Command) -> Callable[..., Ended]:
    """``models(argument, ...)``: how ``detector models`` ended."""
    return partial(command, "models")


@pytest.fixture(scope="session")
def made(made_once: MadeOnce) -> Made:
    """A very small model, trained for real."""
    folder = made_once("telemetry", make)
    return Made(folder / "telemetry", json.loads((folder / "report.json").read_text()))


def make(folder: Path) -> None:
    from detector.cli.train.report import as_document
    from models.bundle import write_bundle
    from models.spec import ModelSpec
    from models.training import TrainOptions, train

    data = training_data()
    spec = ModelSpec(channels=CHANNELS, window=WINDOW, units=4, latent=2, period_seconds=300.0)
    trained = train(data, spec, TrainOptions(epochs=2))
    folder.mkdir()
    path = folder / "telemetry"
    digest = write_bundle(path, trained, created_at=CREATED)
    (folder / "report.json").write_text(json.dumps(as_document(trained, path, digest)))
