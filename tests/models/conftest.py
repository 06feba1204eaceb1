from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle, load_bundle, write_bundle
from models.calibration import CalibrationOptions
from models.spec import ModelSpec
from models.training import TrainedModel, TrainOptions, train
from models.training.segments import TrainingData

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
def tiny_path(tiny_trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    write_bundle(path, tiny_trained, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tiny_path: Path) -> Bundle:
    return load_bundle(tiny_path)


@pytest.fixture(scope="session")
def streaming_trained(tiny_data: TrainingData) -> TrainedModel:
    """A model with memory: one epoch is enough for weights that are not those of the start."""
    spec = ModelSpec(
        channels=("x", "y", "z"), architecture="streaming", window=8, period_seconds=1.0, units=6, latent=3, seed=3,
        options={"chunk": 32, "renew_after": 4, "lags": 3, "linear_rows": 4},
    )  # fmt: skip
    return train(tiny_data, spec, TrainOptions(epochs=1, horizon_sequences=0))


@pytest.fixture(scope="session")
def streaming_path(streaming_trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "streaming"
    write_bundle(path, streaming_trained, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    return path


@pytest.fixture(scope="session")
def streaming_bundle(streaming_path: Path) -> Bundle:
    return load_bundle(streaming_path)


@pytest.fixture
def copied(tiny_path: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be damaged."""
    return Path(shutil.copytree(tiny_path, tmp_path / "copy"))
