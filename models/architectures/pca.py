"""Principal components of the last rows together: the linear baseline, in the form of a model like any other.

A window of few rows is laid out as one vector (a lagged embedding) and projected on the directions of greatest variance
of the training windows. That is the linear autoencoder with the least squared error (Baldi and Hornik, 1989), so it
needs no gradients: the components come from an eigendecomposition, and are stored as two ``Dense`` layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.architectures.architecture import Architecture
from models.architectures.limits import check_values
from models.architectures.options import Option
from models.backend import load_keras
from models.errors import SpecError
from models.fitting.linear import mean_square, principal_components
from models.fitting.loop import LoopResult
from models.fitting.task import Fitted, FittingTask
from models.outputs import RECONSTRUCTION
from models.shape import Shape

if TYPE_CHECKING:
    import keras

Float64 = npt.NDArray[np.float64]

MAX_VALUES = 4096
"""Values in a window: the eigendecomposition takes their number squared in memory, and cubed in time."""
_MOST_FITTED = 1 << 26
"""Values of the windows that the components are fitted to, a quarter of a gigabyte."""


def check(spec: Shape) -> None:
    """Refuse windows that are too large for an eigendecomposition, and more components than could leave a residual.

    Raises:
        SpecError: see above.
    """
    check_values(spec, MAX_VALUES)
    values, components = spec.window * len(spec.channels), int(spec.options["components"])
    if components >= values:
        raise SpecError(
            f"option components is {components}, but a window has {values} values, and as many components leave no"
            " residual; choose fewer, or 0 to go by explained_variance"
        )


def build(spec: Shape) -> keras.Model:
    """Build the model with as many components as the specification says, or as its ``latent``, all of them zero."""
    values = spec.window * len(spec.channels)
    count = int(spec.options["components"]) or min(spec.latent, values - 1)
    return _model(spec, np.zeros(values), np.zeros((values, max(1, count))))


def _model(spec: Shape, mean: Float64, components: Float64) -> keras.Model:
    """The linear autoencoder with this mean float64[values] and these components float64[values, count]."""
    keras = load_keras()
    layers = keras.layers
    windows = keras.Input((spec.window, len(spec.channels)), dtype="float32", name="windows")
    code = layers.Dense(components.shape[1], name="code")
    embedding = layers.Dense(len(mean), name="embedding")
    rows = layers.Reshape((spec.window, len(spec.channels)), name=RECONSTRUCTION)
    model = keras.Model(windows, rows(embedding(code(layers.Flatten(name="flatten")(windows)))), name="pca")
    code.set_weights([components, -mean @ components])
    embedding.set_weights([components.T, mean])
    return model


def fit(task: FittingTask) -> Fitted:
    """Find the components; instantaneous beside a training by gradients."""
    spec, bank = task.spec, task.bank
    values = spec.window * len(spec.channels)
    most = min(bank.train.size, _MOST_FITTED // values)
    starts = bank.train[np.linspace(0, bank.train.size - 1, most).astype(np.int64)]
    windows, _ = bank.draw(starts)
    variances, directions, mean = principal_components(windows.reshape(most, values))
    share = np.cumsum(variances) / max(float(variances.sum()), np.finfo(np.float64).tiny)
    wanted = int(spec.options["components"])
    if not wanted:
        wanted = int(np.searchsorted(share, float(spec.options["explained_variance"]))) + 1
    # All components together would reconstruct anything.
    count = max(1, min(wanted, values - 1))
    model = _model(spec, mean, directions[:, :count])
    message = (
        f"closed form: {count} of {values} principal components explain {share[count - 1]:.1%} of the variance of"
        f" {spec.window} rows together"
    )
    loss, val_loss = (mean_square(model, bank, examples) for examples in (starts, task.held_out))
    return Fitted(model, LoopResult((), 0, "closed_form", message, loss, val_loss))


ARCHITECTURE = Architecture(
    name="pca",
    summary="linear baseline: principal components of the last rows together (window is their number), in closed form",
    choose="first, to see what a network would add; often enough for strongly correlated channels, and fitted at once",
    papers=(
        'Jolliffe, "Principal Component Analysis", Springer 2002',
        'Baldi and Hornik, "Neural Networks and Principal Component Analysis: Learning from Examples Without Local'
        ' Minima", Neural Networks 2(1), 1989',
        'Broomhead and King, "Extracting Qualitative Dynamics from Experimental Data", Physica D 20, 1986 (lags)',
    ),
    build=build,
    fit=fit,
    closed_form=True,
    options=(
        Option(
            name="explained_variance",
            default=0.9,
            low=0.0,
            high=1.0,
            help="share of the variance that the components explain",
        ),
        Option(name="components", default=0, low=0, high=MAX_VALUES, help="number of components; 0: by that share"),
    ),
    default_window=10,
    resumable=False,  # and need not be: a fit takes a moment
    check=check,
)
