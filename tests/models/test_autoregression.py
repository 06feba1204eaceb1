"""The autoregression as a model: it finds the process that the data came from, and gives back what was given."""

from __future__ import annotations

import numpy as np
import pytest

from models.spec import ModelSpec
from models.training import TrainOptions, train

pytestmark = pytest.mark.keras
SECOND_NS = 1_000_000_000
WEIGHTS = np.array([[0.6, 0.3], [-0.4, 0.8]])
"""Of x on the last x and y, and of y."""


@pytest.fixture(scope="module")
def trained():
    noise = np.random.default_rng(1).normal(scale=0.1, size=(4000, 2))
    values = np.zeros((4000, 2))
    for row in range(1, 4000):
        values[row] = WEIGHTS @ values[row - 1] + noise[row]
    spec = ModelSpec(channels=("x", "y"), architecture="autoregression", window=3, options={"ridge": 1e-6})
    data = {"a": (np.arange(4000) * SECOND_NS, values)}
    return train(data, spec, TrainOptions(horizon_sequences=0))


def test_it_finds_the_process(trained):
    scale = trained.scaler.scale[0]
    kernel, _ = trained.model.get_layer("autoregression").get_weights()
    older, newest = kernel[:2].T, kernel[2:].T
    assert newest * scale[:, None] / scale[None, :] == pytest.approx(WEIGHTS, abs=0.06)
    assert older == pytest.approx(np.zeros((2, 2)), abs=0.06)
    assert trained.history.message.startswith("closed form: an autoregression on 2 samples leaves ")


def test_the_last_sample_is_predicted_and_not_looked_at(trained):
    windows = np.random.default_rng(2).normal(size=(5, 3, 2)).astype(np.float32)
    changed = windows.copy()
    changed[:, -1] += 7
    first, second = (np.asarray(trained.model(batch)) for batch in (windows, changed))
    assert first[:, :2].tobytes() == windows[:, :2].tobytes()
    assert first[:, -1].tobytes() == second[:, -1].tobytes()
    assert np.abs(first[:, -1] - windows[:, -1]).max() > 0.1


def test_its_residual_is_the_noise(trained):
    left = float(trained.history.message.split("leaves ")[1].split("%")[0]) / 100
    variance = (0.1 / trained.scaler.scale[0]) ** 2
    assert left == pytest.approx(float(variance.sum()) / 2 / 0.98**2, rel=0.35)
