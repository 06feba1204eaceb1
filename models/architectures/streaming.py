"""Streaming LSTM autoencoder: its memory goes on from sample to sample, for as long as the series does.

A window autoencoder reads every window anew and forgets it. Here the encoder's state is carried along the series, and one
sample costs one step. From the state, a code writes the last samples again (reconstruction), and a second head
says what comes next (prediction): the composite model of Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning
of Video Representations using LSTMs" (ICML 2015), with dense decoders in place of recurrent ones, since the state is
decoded at every sample.

Two linear paths are fitted in closed form, and not trained. An autoregression on the last few samples goes beneath
the prediction, so that the network learns what the linear model leaves: the highway of Lai, Chang, Yang and Liu, "Modeling
Long- and Short-Term Temporal Patterns with Deep Neural Networks" (SIGIR 2018). And the principal components of
the last few samples together give a reconstruction of their own. Where data is linear they are hard to beat.

One set of weights makes two models. `build` makes the one that is bundled and served, which takes one step; `unroll` makes
the one that is trained, which reads chunks of a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.backend import load_keras
from models.errors import SpecError

if TYPE_CHECKING:
    import keras

    from models.spec import ModelSpec

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
    def of(cls, spec: ModelSpec) -> LinearShape:
        """As the options say, fewer rows where a window is short or channels are many."""
        channels = len(spec.channels)
        most = max(1, MAX_LINEAR_INPUTS // channels)
        rows = min(int(spec.options["linear_rows"]), spec.window, most)
        # The window's first row would be missing when a memory warms up by reading its window row by row.
        lags = min(int(spec.options["lags"]), spec.window - 1, most)
        return cls(lags, rows, max(1, min(MAX_COMPONENTS, rows * channels - 1)))


def cell_of(spec: ModelSpec) -> str:
    """Kind of the memory cell.

    Raises:
        SpecError: there is no such cell.
    """
    cell = str(spec.options["cell"])
    if cell not in STATES:
        raise SpecError(f"there is no cell {cell!r} for a streaming model; choose one of: {', '.join(STATES)}")
    return cell


def build(spec: ModelSpec) -> keras.Model:
    """Build the model of one step.

    Of a window, the recurrent path reads the last row only: all before it is in the state.

    Returns:
        A model from a list, ``windows`` float32[batch, window, channels] and a ``state_<name>`` float32[batch, units] for
        each thing that the cell remembers, to a dict: ``reconstruction`` float32[batch, window, channels], ``prediction``
        float32[batch, 1, channels], ``linear`` float32[batch, rows, channels], and a ``next_<name>`` for each state.

    Raises:
        SpecError: an option has a value that is not possible.
    """
    keras = load_keras()
    layers = keras.layers
    kind = cell_of(spec)
    window, channels = spec.window, len(spec.channels)
    linear = LinearShape.of(spec)
    seeds = iter(range(spec.seed * 16, spec.seed * 16 + 16))

    def glorot() -> Any:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    def dense(name: str, width: int) -> Any:
        return layers.Dense(width, kernel_initializer=glorot(), name=name)

    def fitted(name: str, width: int) -> Any:
        return layers.Dense(width, kernel_initializer="zeros", name=name, trainable=False)

    def last_rows(name: str, rows: int) -> Any:
        # Layers rather than slices: what a bundle may hold is a list of layers.
        return layers.Flatten(name=f"{name}_flat")(layers.Cropping1D((window - rows, 0), name=f"{name}_rows")(windows))

    make_cell = {"lstm": layers.LSTMCell, "gru": layers.GRUCell}[kind]
    cell = make_cell(
        spec.units,
        kernel_initializer=glorot(),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        name="memory",
    )
    windows = keras.Input((window, channels), dtype="float32", name="windows")
    states = [keras.Input((spec.units,), dtype="float32", name=f"state_{name}") for name in STATES[kind]]
    memory, following = cell(last_rows("last", 1), states)
    code = dense("code", spec.latent)(memory)
    flat = dense("reconstruction", window * channels)(code)
    autoregression = fitted("autoregression", channels)(last_rows("lagged", linear.lags))
    prediction = layers.Add(name="prediction_sum")([autoregression, _prediction_head(keras, channels)(memory)])
    components = fitted("components", linear.components)(last_rows("tail", linear.rows))
    rebuilt = fitted("linear", linear.rows * channels)(components)
    outputs = {
        "reconstruction": layers.Reshape((window, channels), name="reconstruction_rows")(flat),
        "prediction": layers.Reshape((1, channels), name="prediction_row")(prediction),
        "linear": layers.Reshape((linear.rows, channels), name="linear_rows")(rebuilt),
    }
    following = following if isinstance(following, list | tuple) else [following]
    outputs |= {f"next_{name}": state for name, state in zip(STATES[kind], following, strict=True)}
    return keras.Model([windows, *states], outputs, name="streaming_autoencoder")


def unroll(model: keras.Model, spec: ModelSpec) -> keras.Model:
    """The trained form of a model of one step: the same weights, over chunks.

    Args:
        model: From `build`.
        spec: What it was built from.

    Returns:
        A model from a list, ``rows`` float32[batch, steps, channels], ``lagged`` float32[batch, steps, lags * channels] (of each
        step the last rows, its own included, oldest first) and the states, to a dict: ``reconstruction``
        float32[batch, steps, window * channels], oldest row first; ``prediction`` float32[batch, steps, channels], of the row
        after each; and ``next_<name>``, the states after the last step.
    """
    keras = load_keras()
    layers = keras.layers
    names = STATES[cell_of(spec)]
    rows = keras.Input((None, len(spec.channels)), dtype="float32", name="rows")
    lagged = keras.Input((None, LinearShape.of(spec).lags * len(spec.channels)), dtype="float32", name="lagged")
    states = [keras.Input((spec.units,), dtype="float32", name=f"state_{name}") for name in names]
    read = layers.Dropout(spec.dropout, seed=spec.seed, name="dropout")(rows) if spec.dropout else rows
    recurrent = layers.RNN(model.get_layer("memory"), return_sequences=True, return_state=True, name="recurrent")
    memories, *following = recurrent(read, initial_state=states)
    outputs = {
        "reconstruction": model.get_layer("reconstruction")(model.get_layer("code")(memories)),
        "prediction": layers.Add(name="prediction_sum")(
            [model.get_layer("autoregression")(lagged), model.get_layer("prediction")(memories)]
        ),
    }
    outputs |= {f"next_{name}": state for name, state in zip(names, following, strict=True)}
    return keras.Model([rows, lagged, *states], outputs, name="streaming_autoencoder_unrolled")


def _prediction_head(keras: Any, channels: int) -> Any:
    # From zeros: training begins at what the linear model predicts, and can only add to it what it learns.
    return keras.layers.Dense(channels, kernel_initializer="zeros", name="prediction")
