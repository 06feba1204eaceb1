"""What a model with carried memory is fitted to: every sample of a long chunk, the state going on to the next chunk.

Truncated backpropagation through time (Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of
Recurrent Network Trajectories", Neural Computation 1990): gradients end where a chunk begins, the state does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.backend import load_tensorflow
from models.training.chunks import ChunkBank, Chunks

_LEAST_STEPS = 20
"""An epoch has at least so many steps, however few rows there are: a pass over a short series is soon done, and to stop
early for want of improvement after five of them would be rash."""
_VALIDATION_BATCH = 16


class CarriedObjective:
    """Mean squared error of the window's reconstruction, and of the next sample's prediction, at every sample.

    Only observed values count. The state of each lane lives in variables from batch to batch.

    Args:
        model: The model that takes one step; its weights are fitted, through ``unrolled``.
        unrolled: The same weights over chunks; see `models.architectures.streaming.unroll`.
        states: Names and widths of the states.
        bank: Where chunks come from.
        window: Rows of a window.
        lags: How many of them the autoregression sees.
        prediction_weight: What the prediction's error is multiplied by before it is added to the reconstruction's.
        max_held_out_chunks: The validation loss is taken on at most so many.
    """

    def __init__(
        self,
        model: Any,
        unrolled: Any,
        states: Mapping[str, int],
        bank: ChunkBank,
        window: int,
        lags: int,
        prediction_weight: float,
        max_held_out_chunks: int,
    ) -> None:
        tf = self._tf = load_tensorflow()
        self._model, self._unrolled, self._bank, self._window = model, unrolled, bank, window
        self._lags = lags
        self._prediction_weight, self._max_held_out_chunks = prediction_weight, max_held_out_chunks
        self._states = {
            name: tf.Variable(tf.zeros([bank.lanes, width]), trainable=False, name=f"lane_{name}")
            for name, width in states.items()
        }
        self._passes = math.ceil(_LEAST_STEPS / bank.batches_per_pass)

    @property
    def model(self) -> Any:
        """The model of one step."""
        return self._model

    @property
    def signature(self) -> tuple[Any, ...]:
        """Rows, where they were observed, which steps count, and which lanes begin anew."""
        tf = self._tf
        channels = self._unrolled.inputs[0].shape[-1]
        return (
            tf.TensorSpec([None, None, channels], tf.float32),
            tf.TensorSpec([None, None, channels], tf.bool),
            tf.TensorSpec([None, None], tf.bool),
            tf.TensorSpec([None], tf.bool),
        )

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, about."""
        return self._passes * self._bank.batches_per_pass

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[tuple[Any, ...]]]:
        """Passes over all training rows; every lane of every pass begins with an empty memory."""
        del epoch, epochs
        passes = [self._bank.schedule(random) for _ in range(self._passes)]
        steps = sum(max(map(len, queues)) for queues in passes)
        return steps, (_batch(chunks) for queues in passes for chunks in self._bank.train(queues))

    def held_out(self) -> Iterator[tuple[Any, ...]]:
        """Held-out chunks, each behind one that warms the memory up."""
        return (_batch(chunks) for chunks in self._bank.held_out(self._max_held_out_chunks, _VALIDATION_BATCH))

    def loss(self, batch: tuple[Any, ...], *, training: bool) -> Mapping[str, Any]:
        """Both errors, as means over the values that were observed, at the steps that count."""
        tf = self._tf
        rows, observed, counted, fresh = batch
        window = self._window
        read = rows[:, window - 1 : -1]
        if training:
            going_on = tf.cast(~fresh, tf.float32)[:, None]
            states = [state * going_on for state in self._states.values()]
        else:
            states = [tf.zeros([tf.shape(rows)[0], state.shape[-1]]) for state in self._states.values()]
        # Row t of the chunk is the last of the window whose rows are t to t + window - 1 of what was drawn.
        places = tf.range(tf.shape(read)[1])[:, None] + tf.range(window)[None, :]
        windows, windows_seen = (tf.gather(array, places, axis=1) for array in (rows, observed))
        flat = [tf.shape(read)[0], tf.shape(read)[1], -1]
        lagged = tf.reshape(windows[:, :, window - self._lags :], flat)
        outputs = self._unrolled([read, lagged, *states], training=training)
        if training:
            for name, state in self._states.items():
                state.assign(tf.stop_gradient(outputs[f"next_{name}"]))
        steps = tf.cast(counted, tf.float32)[:, :, None]
        reconstruction, weight = self._mean_square(
            outputs["reconstruction"] - tf.reshape(windows, flat),
            tf.cast(tf.reshape(windows_seen, flat), tf.float32) * steps,
        )
        prediction, _ = self._mean_square(
            outputs["prediction"] - rows[:, window:], tf.cast(observed[:, window:], tf.float32) * steps
        )
        return {
            "loss": reconstruction + self._prediction_weight * prediction,
            "weight": weight,
            "reconstruction": reconstruction,
            "prediction": prediction,
        }

    def _mean_square(self, residual: Any, weights: Any) -> tuple[Any, Any]:
        tf = self._tf
        weight = tf.maximum(tf.reduce_sum(weights), 1.0)
        return tf.reduce_sum(tf.square(residual) * weights) / weight, weight


def _batch(chunks: Chunks) -> tuple[Any, ...]:
    return chunks.rows, chunks.observed, chunks.counted, chunks.fresh
