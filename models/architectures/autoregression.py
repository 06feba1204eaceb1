"""A vector autoregression: what comes next follows linearly from all channels of the last samples.

A window is the samples that it looks back on, and the one that it predicts. The prediction stands in the place of that
sample in the reconstruction; the others are given, and are there as they came. Its weights are found by ridge
regression, in closed form (Sims, "Macroeconomics and Reality", Econometrica 1980; Hoerl and Kennard, "Ridge
Regression", Technometrics 1970).

It is the linear baseline of whatever predicts, as principal components are that of whatever reconstructs. Unlike a
network it has no bounds: what is far outside of the training data is predicted to be as far out, and a fault that lasts
does not saturate it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.architectures.architecture import Architecture
from models.architectures.limits import check_values
from models.architectures.options import Option
from models.backend import load_keras
from models.fitting.linear import fit_autoregression, mean_square, set_dense
from models.fitting.loop import LoopResult
from models.fitting.task import Fitted, FittingTask
from models.outputs import RECONSTRUCTION, WINDOWS
from models.shape import Shape

if TYPE_CHECKING:
    import keras

MAX_VALUES = 4096
"""Values in a window: the covariance has their number squared."""
_MOST_FITTED = 1 << 26
"""Values of the windows that it is fitted to, a quarter of a gigabyte."""
_NOTHING = 1e-12


def check(spec: Shape) -> None:
    """Refuse windows that are too large for the covariance of their values.

    Raises:
        SpecError: see above.
    """
    check_values(spec, MAX_VALUES)


def build(spec: Shape) -> keras.Model:
    """Build the model with weights of zero."""
    keras = load_keras()
    layers = keras.layers
    channels = len(spec.channels)
    windows = keras.Input((spec.window, channels), dtype="float32", name=WINDOWS)
    given = layers.Cropping1D((0, 1), name="given")(windows)
    flat = layers.Flatten(name="lags")(given)
    following = layers.Dense(channels, kernel_initializer="zeros", name="autoregression")(flat)
    row = layers.Reshape((1, channels), name="following")(following)
    rows = layers.Concatenate(axis=1, name=RECONSTRUCTION)([given, row])
    return keras.Model(windows, rows, name="autoregression_model")


def fit(task: FittingTask) -> Fitted:
    """Solve for the weights; instantaneous beside a training by gradients."""
    spec, bank = task.spec, task.bank
    most = min(bank.train.size, _MOST_FITTED // (spec.window * len(spec.channels)))
    starts = bank.train[np.linspace(0, bank.train.size - 1, most).astype(np.int64)]
    windows, _ = bank.draw(starts)
    weights, intercepts = fit_autoregression(windows, float(spec.options["ridge"]))
    set_dense(task.model, "autoregression", weights, intercepts)
    last = windows[:, -1].astype(np.float64)
    left = last - np.asarray(task.model(windows))[:, -1]
    share = float(np.square(left).sum()) / max(float(np.square(last - last.mean(axis=0)).sum()), _NOTHING)
    message = (
        f"closed form: an autoregression on {spec.window - 1} samples leaves {share:.1%} of the variance of the next"
    )
    loss, val_loss = (mean_square(task.model, bank, examples) for examples in (starts, task.held_out))
    return Fitted(task.model, LoopResult((), 0, "closed_form", message, loss, val_loss))


ARCHITECTURE = Architecture(
    name="autoregression",
    summary="linear baseline that predicts: each sample from all channels of those before it (window less one), in"
    " closed form",
    choose="first, beside pca; where channels are coupled and follow from their last values it is hard to beat",
    papers=(
        'Sims, "Macroeconomics and Reality", Econometrica 48(1), 1980',
        'Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", Technometrics'
        " 12(1), 1970",
    ),
    build=build,
    fit=fit,
    closed_form=True,
    options=(
        Option(
            name="ridge", default=1e-3, low=0.0, high=1e3, help="penalty on the weights, in units of scaled variance"
        ),
    ),
    default_window=6,
    resumable=False,  # and need not be: a fit takes a moment
    check=check,
)
