"""The network of the streaming autoencoder, and its two forms: one step to serve, many steps to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.architectures.window_autoencoder import dense, initializers, seeds_of
from models.backend import load_keras
from models.outputs import LINEAR, NEXT_PREFIX, PREDICTION, RECONSTRUCTION, STATE_PREFIX, WINDOWS
from models.shape import Shape

if TYPE_CHECKING:
    import keras

AUTOREGRESSION, COMPONENTS = "autoregression", "components"
STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",)}
"""By kind of cell, what it remembers, in Keras's order."""
MAX_LINEAR_INPUTS = 2048
"""The covariance that a linear path is fitted by has this number of rows at most."""
MAX_COMPONENTS = 64


@dataclass(frozen=True, slots=True)
class LinearShape:
    """Shape of the linear paths.

    Attributes:
        lags: How many of the last samples the autoregression sees.
        rows: How many of the last samples the principal components see.
        components: Most components that may be kept; unused ones have weights of zero.
    """

    lags: int
    rows: int
    components: int

    @classmethod
    def of(cls, spec: Shape) -> LinearShape:
        """As the options say, fewer rows where a window is short or channels are many."""
        channels = len(spec.channels)
        most = max(1, MAX_LINEAR_INPUTS // channels)
        rows = min(int(spec.options["linear_rows"]), spec.window, most)
        # The window's first row would be missing when a memory warms up by reading its window row by row.
        lags = min(int(spec.options["lags"]), spec.window - 1, most)
        return cls(lags, rows, max(1, min(MAX_COMPONENTS, rows * channels - 1)))


def build(spec: Shape) -> keras.Model:
    """Build the model of one step.

    Of a window, the recurrent path reads the last row only: all before it is in the state.

    Returns:
        A model from a list, ``windows`` float32[batch, window, channels] and a ``state_<name>`` float32[batch, units]
        for each thing that the cell remembers, to a dict: ``reconstruction`` float32[batch, window, channels],
        ``prediction`` float32[batch, 1, channels], ``linear`` float32[batch, rows, channels], and a ``next_<name>`` for
        each state.
    """
    keras = load_keras()
    layers = keras.layers
    kind = str(spec.options["cell"])
    window, channels, linear = spec.window, len(spec.channels), LinearShape.of(spec)
    seeds = seeds_of(spec)
    windows = keras.Input((window, channels), dtype="float32", name=WINDOWS)
    states = [keras.Input((spec.units,), dtype="float32", name=STATE_PREFIX + name) for name in STATES[kind]]

    def last_rows(name: str, rows: int, before: int = 0) -> Any:
        # Layers rather than slices: what a bundle may hold is a list of layers.
        crop = layers.Cropping1D((window - rows - before, before), name=f"{name}_rows")
        return layers.Flatten(name=f"{name}_flat")(crop(windows))

    def fitted(name: str, width: int) -> Any:
        return layers.Dense(width, kernel_initializer="zeros", name=name, trainable=False)

    cell = {"lstm": layers.LSTMCell, "gru": layers.GRUCell}[kind](spec.units, **initializers(seeds), name="memory")
    memory, following = cell(last_rows("last", 1), states)
    code = dense("code", spec.latent, seeds)(memory)
    flat = dense("reconstruction", window * channels, seeds)(code)
    autoregression = fitted(AUTOREGRESSION, channels)
    if spec.options["highway"]:
        # From zeros: training begins at what the linear model predicts, and adds to it what it learns.
        learned = layers.Dense(channels, kernel_initializer="zeros", name="prediction")(memory)
        prediction = layers.Add(name="prediction_sum")([autoregression(last_rows("lagged", linear.lags)), learned])
    else:
        prediction = dense("prediction", channels, seeds)(memory)
    if spec.options["linear"] == AUTOREGRESSION:
        # Of the window's last sample, from those before it: nothing has to wait in a state.
        estimate = layers.Reshape((1, channels), name="linear_rows")(
            autoregression(last_rows("earlier", linear.lags, 1))
        )
    else:
        components = fitted(COMPONENTS, linear.components)(last_rows("tail", linear.rows))
        rebuilt = fitted("linear", linear.rows * channels)(components)
        estimate = layers.Reshape((linear.rows, channels), name="linear_rows")(rebuilt)
    outputs = {
        RECONSTRUCTION: layers.Reshape((window, channels), name="reconstruction_rows")(flat),
        PREDICTION: layers.Reshape((1, channels), name="prediction_row")(prediction),
        LINEAR: estimate,
    }
    following = following if isinstance(following, list | tuple) else [following]
    outputs |= {NEXT_PREFIX + name: state for name, state in zip(STATES[kind], following, strict=True)}
    return keras.Model([windows, *states], outputs, name="streaming_autoencoder")


def unroll(model: keras.Model, spec: Shape) -> keras.Model:
    """The trained form of a model of one step: the same weights, over chunks.

    Args:
        model: From `build`.
        spec: What it was built from.

    Returns:
        A model from a list, ``rows`` float32[batch, steps, channels], ``lagged`` float32[batch, steps, lags * channels]
        (of each step the last rows, its own included, oldest first) and the states, to a dict: ``reconstruction``
        float32[batch, steps, window * channels], oldest row first; ``prediction`` float32[batch, steps, channels], of
        the row after each; and ``next_<name>``, the states after the last step.
    """
    keras = load_keras()
    layers = keras.layers
    names = STATES[str(spec.options["cell"])]
    channels = len(spec.channels)
    rows = keras.Input((None, channels), dtype="float32", name="rows")
    lagged = keras.Input((None, LinearShape.of(spec).lags * channels), dtype="float32", name="lagged")
    states = [keras.Input((spec.units,), dtype="float32", name=STATE_PREFIX + name) for name in names]
    read = layers.Dropout(spec.dropout, seed=spec.seed, name="dropout")(rows) if spec.dropout else rows
    recurrent = layers.RNN(model.get_layer("memory"), return_sequences=True, return_state=True, name="recurrent")
    memories, *following = recurrent(read, initial_state=states)
    prediction = model.get_layer("prediction")(memories)
    if spec.options["highway"]:
        beneath = model.get_layer(AUTOREGRESSION)(lagged)
        prediction = layers.Add(name="prediction_sum")([beneath, prediction])
    outputs = {
        RECONSTRUCTION: model.get_layer("reconstruction")(model.get_layer("code")(memories)),
        PREDICTION: prediction,
    }
    outputs |= {NEXT_PREFIX + name: state for name, state in zip(names, following, strict=True)}
    return keras.Model([rows, lagged, *states], outputs, name="streaming_autoencoder_unrolled")
