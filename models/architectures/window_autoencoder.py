"""What the autoencoders with a recurrent cell share: a window is read into one code, and written again from it.

After the sequence autoencoder of Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning of Video
Representations using LSTMs" (ICML 2015), with an unconditioned decoder: the code is repeated at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from models.backend import load_keras
from models.fitting.objective import WindowObjective
from models.fitting.task import Fitted, FittingTask
from models.shape import Shape

if TYPE_CHECKING:
    import keras

SEEDS_PER_MODEL = 16


def seeds_of(spec: Shape, first: int = 0) -> Iterator[int]:
    """Seeds of a model's initial weights and of its dropout: models of neighbouring seeds share none.

    Args:
        spec: With the model's own seed.
        first: How many of the sixteen to leave out.
    """
    return iter(range(spec.seed * SEEDS_PER_MODEL + first, (spec.seed + 1) * SEEDS_PER_MODEL))


def initializers(seeds: Iterator[int]) -> dict[str, Any]:
    """Initial weights of a recurrent layer: Keras's own choice, seeded."""
    keras = load_keras()
    return {
        "kernel_initializer": keras.initializers.GlorotUniform(seed=next(seeds)),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=next(seeds)),
    }


def dense(name: str, width: int, seeds: Iterator[int], **options: Any) -> Any:
    """A ``Dense`` layer with a seed.

    On a sequence it acts on the last axis; ``TimeDistributed`` would be unrolled into one product per step on export.
    """
    keras = load_keras()
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.layers.Dense(width, kernel_initializer=initializer, name=name, **options)


def read(spec: Shape, seeds: Iterator[int]) -> tuple[Any, Any]:
    """The model's input, and the same after dropout, if the specification asks for any."""
    keras = load_keras()
    windows = keras.Input((spec.window, len(spec.channels)), dtype="float32", name="windows")
    if not spec.dropout:
        return windows, windows
    return windows, keras.layers.Dropout(spec.dropout, seed=next(seeds), name="dropout")(windows)


def build_autoencoder(spec: Shape, recurrent: Callable[..., Any]) -> keras.Model:
    """Build the model.

    Args:
        spec: Its shape.
        recurrent: Makes a recurrent layer from its ``units`` and Keras's options of such layers.

    Returns:
        A model from float32[batch, window, channels] to its reconstruction, of the same shape.
    """
    keras = load_keras()
    seeds = seeds_of(spec)
    windows, seen = read(spec, seeds)
    summary = recurrent(spec.units, **initializers(seeds), name="encoder")(seen)
    code = dense("code", spec.latent, seeds)(summary)
    repeated = keras.layers.RepeatVector(spec.window, name="repeat")(code)
    written = recurrent(spec.units, return_sequences=True, **initializers(seeds), name="decoder")(repeated)
    reconstruction = dense("reconstruction", len(spec.channels), seeds)(written)
    return keras.Model(windows, reconstruction, name=f"{spec.architecture}_autoencoder")


def fit(task: FittingTask) -> Fitted:
    """Fit a model as it is served, to the mean squared error of its reconstruction of windows."""
    return Fitted(task.model, task.minimise(WindowObjective(task.model, task.bank, task.held_out, task.options)))
