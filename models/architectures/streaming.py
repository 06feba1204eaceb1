"""Streaming autoencoder: its memory goes on from sample to sample, for as long as the series does.

A window autoencoder reads every window anew and forgets it. Here the encoder's state is carried along the series, and
one sample costs one step. From the state, a code writes the last samples again (reconstruction), and a second head
says what comes next (prediction): the composite model of Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning
of Video Representations using LSTMs" (ICML 2015), with dense decoders in place of recurrent ones, since the state is
decoded at every sample.

Beside it runs a linear model, which is fitted in closed form and not trained: on data that is linear it is hard to
beat. It is an autoregression on the last few samples, or their principal components. The autoregression may also go
beneath the prediction, so that the network learns what the linear model leaves: the highway of Lai, Chang, Yang and
Liu, "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks" (SIGIR 2018).

One set of weights makes two models. `build` makes the one that is bundled and served, which takes one step; `unroll`
makes the one that is trained, which reads chunks of a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.architectures.architecture import Architecture
from models.architectures.limits import check_values
from models.architectures.options import Option
from models.architectures.window_autoencoder import dense, initializers, seeds_of
from models.backend import load_keras
from models.fitting.carried import CarriedObjective, CarriedShape, chunk_lanes
from models.fitting.chunks import ChunkBank
from models.fitting.linear import fit_autoregression, fit_components, set_dense
from models.fitting.task import Fitted, FittingTask
from models.outputs import DAILY, LINEAR, MAYBE, NEXT_PREFIX, PREDICTION, RECONSTRUCTION, STATE_PREFIX, WINDOWS
from models.renewal import Renewal
from models.shape import Shape

if TYPE_CHECKING:
    import keras

AUTOREGRESSION, COMPONENTS = "autoregression", "components"
STATES = {"lstm": ("hidden", "cell"), "gru": ("hidden",)}
"""By kind of cell, what it remembers, in Keras's order."""
MAX_LINEAR_INPUTS = 2048
"""The covariance that a linear path is fitted by has this number of rows at most."""
MAX_COMPONENTS = 64
_MOST_LINEAR_ROWS = 50_000
"""Linear paths are fitted to at most so many windows, spread evenly."""
RIDGE = 1e-3
DEFAULT_EPOCHS = 20


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


def fit(task: FittingTask) -> Fitted:
    """Fit the linear paths in closed form, then the network, through its unrolled form."""
    spec, options, shape = task.spec, task.spec.options, LinearShape.of(task.spec)
    chunk = int(options["chunk"])
    lanes = chunk_lanes(chunk, spec.window, len(spec.channels))
    bank = ChunkBank(task.series, task.scaler, spec.window, chunk, lanes)
    if options["highway"] or options["linear"] == AUTOREGRESSION:
        weights, intercepts = fit_autoregression(bank.tails(shape.lags + 1, _MOST_LINEAR_ROWS), RIDGE)
        set_dense(task.model, AUTOREGRESSION, weights, intercepts)
    tails = bank.tails(shape.rows, _MOST_LINEAR_ROWS)
    if options["linear"] == COMPONENTS:
        kept, mean = fit_components(tails.reshape(len(tails), -1), shape.components, float(options["linear_variance"]))
        set_dense(task.model, COMPONENTS, kept, -mean @ kept)
        set_dense(task.model, "linear", kept.T, mean)
    objective = CarriedObjective(
        task.model,
        unroll(task.model, spec),
        bank,
        CarriedShape(
            window=spec.window,
            lags=shape.lags,
            states=dict.fromkeys(STATES[str(options["cell"])], spec.units),
            prediction_weight=float(options["prediction_weight"]),
        ),
    )
    result = task.minimise(objective, task.options.epochs or DEFAULT_EPOCHS)
    samples = int(options["renew_after"])
    return Fitted(task.model, result, Renewal.fit(tails[:, -1], samples) if samples else None)


ARCHITECTURE = Architecture(
    name="streaming",
    summary="memory carried from sample to sample: one step of a recurrent cell a record, with linear paths beside it",
    choose="the default: fast series, rhythms longer than any window, faults that break how a signal goes on",
    papers=(
        'Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs", ICML 2015',
        'Lai et al., "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks", SIGIR 2018',
        'Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network'
        ' Trajectories", Neural Computation 2(4), 1990',
    ),
    build=build,
    fit=fit,
    options=(
        Option(name="cell", default="lstm", choices=tuple(STATES), help="kind of cell that carries the memory"),
        Option(
            name="chunk", default=256, low=8, high=4096, help="samples through which gradients flow back in training"
        ),
        Option(
            name="prediction_weight",
            default=1.0,
            low=0.0,
            high=100.0,
            help="weight of the next sample's error in the loss, beside the reconstruction's",
        ),
        Option(
            name="linear",
            default=AUTOREGRESSION,
            choices=(AUTOREGRESSION, COMPONENTS),
            help="the linear model that runs beside the network",
        ),
        Option(
            name="lags",
            default=5,
            low=1,
            high=64,
            help="samples that the autoregression sees; fewer than a window has, whatever is asked for",
        ),
        Option(
            name="highway",
            default=True,
            help="whether the network predicts what the autoregression leaves, rather than the next sample itself",
        ),
        Option(
            name="linear_rows", default=10, low=1, high=64, help="samples that the principal components see together"
        ),
        Option(
            name="renew_after",
            default=16,
            low=0,
            high=1_000_000,
            help="extreme samples after which memory begins anew, once a whole window is ordinary; 0: never",
        ),
        Option(
            name="linear_variance",
            default=0.9,
            low=0.0,
            high=1.0,
            help="share of the variance that the components keep",
        ),
    ),
    memory="carried",
    check=check_values,
    default_window=16,
    default_latent=8,
    default_parts=(LINEAR, PREDICTION, DAILY + MAYBE),
)
