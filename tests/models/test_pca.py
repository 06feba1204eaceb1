"""Principal components as a model: the numbers are those of a singular value decomposition."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from models.errors import SpecError
from models.fitting.windows import WindowBank, lay_windows
from models.segments import cut
from models.spec import ModelSpec
from models.training import TrainOptions, train

pytestmark = pytest.mark.keras
SECOND_NS = 1_000_000_000


def bank_of(bundle, data):
    laid = {
        name: lay_windows(cut(times_ns, values, bundle.spec.period_ns, 5), bundle.spec.window, 0.2, 0.5)
        for name, (times_ns, values) in data.items()
    }
    return WindowBank(laid, bundle.scaler, bundle.spec.window)


@pytest.fixture(scope="module")
def linear(member):
    return member("pca")


def test_it_reconstructs_as_the_singular_vectors_of_the_training_windows_do(linear, tiny_data):
    bank = bank_of(linear.bundle, tiny_data)
    training, held_out = (bank.draw(starts)[0] for starts in (bank.train, np.concatenate(list(bank.held_out.values()))))
    rows, wanted = (windows.reshape(len(windows), -1).astype(np.float64) for windows in (training, held_out))
    mean = rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(rows - mean, full_matrices=False)
    explained = np.cumsum(singular**2) / (singular**2).sum()
    count = int(np.argmax(explained >= 0.9)) + 1
    kept = directions[:count]
    expected = (wanted - mean) @ kept.T @ kept + mean
    found = linear.outputs(held_out)["reconstruction"].reshape(len(wanted), -1)
    assert found == pytest.approx(expected, abs=1e-4)
    message = linear.bundle.history()["message"]
    assert message == (
        f"closed form: {count} of 48 principal components explain {explained[count - 1]:.1%} of the variance of 16 rows"
        " together"
    )


def test_losses_are_the_mean_squares_of_what_is_left(linear, tiny_data):
    bank = bank_of(linear.bundle, tiny_data)
    history = linear.bundle.history()
    for starts, loss in ((bank.train, "loss"), (np.concatenate(list(bank.held_out.values())), "val_loss")):
        windows, _ = bank.draw(starts)
        left = np.square(linear.outputs(windows)["reconstruction"].astype(np.float64) - windows).mean()
        assert history[loss] == pytest.approx(left, rel=1e-5)


def fit(options, window=3, rows=200):
    random = np.random.default_rng(0)
    hidden = random.normal(size=(rows, 1))
    values = hidden @ np.array([[1.0, 2.0]])
    spec = ModelSpec(channels=("x", "y"), architecture="pca", window=window, options=options)
    return train({"s": (np.arange(rows) * SECOND_NS, values)}, spec, TrainOptions())


def test_as_many_components_as_are_asked_for():
    model = fit({"components": 2}).model
    assert model.get_layer("code").units == 2


def test_channels_that_move_together_need_one_component_a_row_and_a_broken_bond_shows():
    trained = fit({"explained_variance": 1.0})
    assert "3 of 6 principal components explain 100.0%" in trained.history.message
    together = np.array([[[0.5, 0.5], [-1.0, -1.0], [0.3, 0.3]]], np.float32)
    apart = np.array([[[0.5, 0.5], [-1.0, -1.0], [0.3, -0.3]]], np.float32)
    left = [np.abs(np.asarray(trained.model(windows)) - windows).max() for windows in (together, apart)]
    assert left[0] < 0.05
    assert left[1] > 0.25


def test_values_that_never_move_are_no_trouble():
    spec = ModelSpec(channels=("x",), architecture="pca", window=4)
    trained = train({"s": (np.arange(100) * SECOND_NS, np.full((100, 1), 7.0))}, spec)
    assert math.isfinite(trained.calibration.threshold)
    assert trained.history.val_loss == 0


def test_components_that_leave_no_residual_are_refused(tiny_spec):
    with pytest.raises(SpecError, match=r"option components is 6, but a window has 6 values, .*; choose fewer, or 0"):
        dataclasses.replace(tiny_spec, architecture="pca", window=2, options={"components": 6})
