from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle, load_bundle, load_keras_model, write_bundle
from models.calibration import CalibrationOptions
from models.outputs import RECONSTRUCTION, Float32
from models.segments import TrainingData
from models.spec import ModelSpec
from models.training import TrainedModel, TrainOptions, train
from tests.plugins.made_once import MadeOnce

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="session")
def tiny_data() -> TrainingData:
    """Two series of three channels, one of which never moves."""
    data = {}
    for number, name in enumerate(("a", "b")):
        noise = np.random.default_rng(number)
        steps = np.arange(400)
        values = np.stack([np.sin(steps / 5), 5 + 3 * np.cos(steps / 9), np.full(400, 7.0)], axis=1)
        values[:, :2] += noise.normal(scale=0.1, size=(400, 2))
        data[name] = (steps * SECOND_NS, values + number * 10)
    return data


@pytest.fixture(scope="session")
def tiny_spec() -> ModelSpec:
    return ModelSpec(channels=("x", "y", "z"), window=16, period_seconds=1.0, units=8, latent=4, seed=3)


@pytest.fixture(scope="session")
def tiny_trained(tiny_data: TrainingData, tiny_spec: ModelSpec) -> TrainedModel:
    return train(
        tiny_data,
        tiny_spec,
        TrainOptions(epochs=3),
        calibration=CalibrationOptions(risk=1e-3),
        count_incidents=lambda scores, times_ns, threshold: int((scores > threshold).sum()),
    )


@pytest.fixture(scope="session")
def tiny_path(made_once: MadeOnce, request: pytest.FixtureRequest) -> Path:
    return made_once("tiny", lambda path: write(path, request.getfixturevalue("tiny_trained")))


def write(path: Path, trained: TrainedModel) -> None:
    write_bundle(path, trained, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.fixture(scope="session")
def tiny_bundle(tiny_path: Path) -> Bundle:
    return load_bundle(tiny_path)


@pytest.fixture(scope="session")
def streaming_trained(tiny_data: TrainingData) -> TrainedModel:
    """A model with memory: one epoch is enough for weights that are not those of the start."""
    spec = ModelSpec(
        channels=("x", "y", "z"), architecture="streaming", window=8, period_seconds=1.0, units=6, latent=3, seed=3,
        options={"chunk": 32, "renew_after": 4, "lags": 3, "linear": "components", "linear_rows": 4},
    )  # fmt: skip
    return train(tiny_data, spec, TrainOptions(epochs=1, horizon_sequences=0))


@pytest.fixture(scope="session")
def streaming_path(made_once: MadeOnce, request: pytest.FixtureRequest) -> Path:
    return made_once("streaming", lambda path: write(path, request.getfixturevalue("streaming_trained")))


@pytest.fixture(scope="session")
def streaming_bundle(streaming_path: Path) -> Bundle:
    return load_bundle(streaming_path)


@pytest.fixture
def copied(tiny_path: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be damaged."""
    return Path(shutil.copytree(tiny_path, tmp_path / "copy"))


class Member:
    """A very small trained model of one architecture, as its bundle holds it."""

    def __init__(self, path: Path) -> None:
        self.bundle = load_bundle(path)

    @cached_property
    def model(self) -> Any:
        return load_keras_model(self.bundle)

    def outputs(self, windows: Float32) -> dict[str, Float32]:
        """What Keras makes of windows, by name."""
        found = self.model(windows, training=False)
        named = found if isinstance(found, dict) else {RECONSTRUCTION: found}
        return {name: np.asarray(tensor) for name, tensor in named.items()}


@pytest.fixture(scope="session")
def member(
    made_once: MadeOnce, tiny_data: TrainingData, tiny_spec: ModelSpec, request: pytest.FixtureRequest
) -> Callable[[str], Member]:
    """A `Member` of any architecture that has no memory; each is trained once in a run, when it is first asked for."""

    def make(path: Path, architecture: str) -> None:
        spec = dataclasses.replace(tiny_spec, architecture=architecture)
        write(path, train(tiny_data, spec, TrainOptions(epochs=2, max_windows_per_epoch=256, horizon_sequences=0)))

    @cache
    def get(architecture: str) -> Member:
        if architecture == tiny_spec.architecture:
            return Member(request.getfixturevalue("tiny_path"))
        return Member(made_once(f"tiny-{architecture}", lambda path: make(path, architecture)))

    return get
