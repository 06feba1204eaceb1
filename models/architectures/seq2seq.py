"""Encoder-decoder that writes the window backwards, each sample from the one that it wrote before.

After EncDec-AD (Malhotra et al., 2016): the decoder's first output, read off its initial state, is the window's last
sample; from there it goes back in time. In training it is fed the true samples (teacher forcing), or some of them; when
it serves, its own outputs.

A decoder that is fed its own output ``y = W h + b`` needs no loop of its own. With gates ``K y + Q z + R h + a``, where
``z`` is the code, which it reads at every step (as in Cho et al., 2014), feeding back means
``(K W + R) h + Q z + (K b + a)``: an LSTM whose weights are folded together. So the served model is one plain LSTM
layer, which every runtime has, and as fast as any other; `fold` makes its weights from those that were trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.architectures.architecture import Architecture
from models.architectures.options import Option
from models.architectures.window_autoencoder import dense, initializers, read, seeds_of
from models.backend import load_keras
from models.fitting.task import Fitted, FittingTask
from models.fitting.teacher_forcing import TeacherForcing
from models.outputs import RECONSTRUCTION
from models.shape import Shape

if TYPE_CHECKING:
    import keras

_CELL_SEED = 12
"""Of the seeds that a model has, one that `build` does not use, and the next one."""


def build(spec: Shape) -> keras.Model:
    """Build the model to serve, which runs free.

    Returns:
        A model from float32[batch, window, channels] to its reconstruction, of the same shape, in the window's order.
    """
    keras = load_keras()
    layers = keras.layers
    seeds = seeds_of(spec)
    windows, seen = read(spec, seeds)
    summary = layers.LSTM(spec.units, **initializers(seeds), name="encoder")(seen)
    code = dense("code", spec.latent, seeds)(summary)
    hidden = dense("decoder_hidden", spec.units, seeds, activation="tanh")(code)
    cell = dense("decoder_cell", spec.units, seeds)(code)
    repeated = layers.RepeatVector(spec.window - 1, name="repeat")(code)
    decoder = layers.LSTM(spec.units, return_sequences=True, **initializers(seeds), name="decoder", trainable=False)
    later = decoder(repeated, initial_state=[hidden, cell])
    first = layers.Reshape((1, spec.units), name="first")(hidden)
    backwards = layers.Concatenate(axis=1, name="backwards")([first, later])
    forwards = keras.ops.flip(backwards, axis=1)
    return keras.Model(windows, dense(RECONSTRUCTION, len(spec.channels), seeds)(forwards), name="seq2seq")


def training_model(model: keras.Model, spec: Shape) -> keras.Model:
    """Build the model to train, which shares the layers of what is served, but for the decoder's recurrent one.

    Returns:
        A model from windows float32[batch, window, channels], and ``fed`` float32[batch, window - 1, 1], 1 where the
        decoder is fed the true sample before (in its own order) and 0 where its own, to the reconstruction
        float32[batch, window, channels] in the decoder's order, the window's last sample first.
    """
    keras = load_keras()
    layers = keras.layers
    windows = model.inputs[0]
    fed = keras.Input((spec.window - 1, 1), dtype="float32", name="fed")
    code = model.get_layer("code").output
    hidden, cell = model.get_layer("decoder_hidden").output, model.get_layer("decoder_cell").output
    output = model.get_layer(RECONSTRUCTION)
    first = output(model.get_layer("first").output)
    truth = keras.ops.flip(windows, axis=1)[:, :-1]
    steps = layers.Concatenate(axis=-1)([truth, fed, layers.RepeatVector(spec.window - 1)(code)])
    decoder = layers.RNN(_feedback_cell(spec, output), return_sequences=True, name="feedback")
    start = layers.Reshape((len(spec.channels),))(first)
    later = decoder(steps, initial_state=[hidden, cell, start])
    return keras.Model([windows, fed], layers.Concatenate(axis=1)([first, later]), name="seq2seq_training")


def _feedback_cell(spec: Shape, output: Any) -> Any:
    """An LSTM cell that reads the sample before, true or its own, and the code. It is never part of a bundle."""
    keras = load_keras()
    channels = len(spec.channels)

    class FeedbackCell(keras.layers.Layer):  # type: ignore[misc, name-defined]  # Keras is imported on demand
        """State: that of the LSTM, and the sample that was written last."""

        def __init__(self) -> None:
            super().__init__(name="feedback_cell")
            seeds = seeds_of(spec, _CELL_SEED)
            self.lstm = keras.layers.LSTMCell(spec.units, **initializers(seeds), name="decoder_cell")
            self.state_size = [spec.units, spec.units, channels]
            self.output_size = channels

        def build(self, shape: tuple[int | None, ...]) -> None:
            self.lstm.build((shape[0], channels + spec.latent))
            super().build(shape)

        def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
            hidden, cell, written = states
            truth, fed, code = inputs[:, :channels], inputs[:, channels : channels + 1], inputs[:, channels + 1 :]
            before = fed * truth + (1.0 - fed) * written
            hidden, (hidden, cell) = self.lstm(keras.ops.concatenate([before, code], axis=-1), [hidden, cell])
            written = output(hidden)
            return written, [hidden, cell, written]

    return FeedbackCell()


def fold(model: keras.Model, trained: keras.Model) -> None:
    """Give the served decoder the weights that make it feed on its own output; see the module."""
    kernel, recurrent, bias = (np.asarray(a) for a in trained.get_layer("feedback").cell.lstm.get_weights())
    weights, offset = (np.asarray(a) for a in model.get_layer(RECONSTRUCTION).get_weights())
    of_sample, of_code = kernel[: weights.shape[1]], kernel[weights.shape[1] :]
    model.get_layer("decoder").set_weights([of_code, recurrent + weights @ of_sample, bias + offset @ of_sample])


def fit(task: FittingTask) -> Fitted:
    """Train with teacher forcing, or with scheduled sampling; see `models.fitting.teacher_forcing`."""
    trained = training_model(task.model, task.spec)
    result = task.minimise(TeacherForcing(trained, task))
    fold(task.model, trained)
    return Fitted(task.model, result)


ARCHITECTURE = Architecture(
    name="seq2seq",
    summary="encoder-decoder that writes the window backwards from its own output; learns from the truth at first",
    choose="series that move on from their last value, such as cycles and trends",
    papers=(
        'Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", ICML Anomaly Detection'
        " Workshop 2016",
        'Sutskever, Vinyals and Le, "Sequence to Sequence Learning with Neural Networks", NIPS 2014',
        'Williams and Zipser, "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks", Neural'
        " Computation 1(2), 1989 (teacher forcing)",
        'Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", NIPS 2015',
    ),
    build=build,
    fit=fit,
    resumable=False,  # the weights that were trained cannot be told from those that they were folded into
    options=(
        Option(
            name="sampling",
            default="inverse_sigmoid",
            choices=("none", "linear", "exponential", "inverse_sigmoid"),
            help="how the share of true samples that the decoder is fed falls over the epochs; none: always the truth",
        ),
        Option(
            name="least_truth",
            default=0.0,
            low=0.0,
            high=1.0,
            help="share of true samples in the last epoch, with sampling",
        ),
    ),
)
