"""What a model with carried memory is fitted to: every sample of a long chunk, the state going on to the next chunk.

Truncated backpropagation through time (Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training
of Recurrent Network Trajectories", Neural Computation 1990): gradients end where a chunk begins, the state does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from models.backend import load_tensorflow
from models.fitting.chunks import ChunkBank, Chunks
from models.fitting.objective import Batch
from models.outputs import NEXT_PREFIX, PREDICTION, RECONSTRUCTION

_MOST_LANES = 16
_MOST_TARGET_BYTES = 128 << 20
_LEAST_STEPS = 20
"""An epoch has at least so many steps, however few rows there are: a pass over a short series is soon done, and to stop
early for want of improvement after five of them would be rash."""
_MOST_STEPS = 60
"""And at most so many: of longer data, each epoch reads another part."""
_VALIDATION_BATCH = 16


_VALIDATION_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class CarriedShape:
    """What the objective needs to know of the model.

    Attributes:
        window: Rows of the window that is reconstructed at every sample.
        lags: How many of them the autoregression sees.
        states: Widths of the carried tensors by name.
        prediction_weight: What the prediction's error is multiplied by before it is added to the reconstruction's.
    """

    window: int
    lags: int
    states: Mapping[str, int]
    prediction_weight: float


def chunk_lanes(chunk: int, window: int, channels: int) -> int:
    """How many chunks are read side by side: as many as help, and fewer where their windows would not fit memory."""
    return max(1, min(_MOST_LANES, _MOST_TARGET_BYTES // (chunk * window * channels * 4)))


class CarriedObjective:
    """Mean squared error of the window's reconstruction, and of the next sample's prediction, at every sample.

    Only observed values count. The state of each lane lives in variables from batch to batch.

    Args:
        model: The model that takes one step; its weights are fitted, through ``unrolled``.
        unrolled: The same weights over chunks; see `models.architectures.streaming.network.unroll`.
        bank: Where chunks come from.
        shape: Of the model.
    """

    def __init__(self, model: Any, unrolled: Any, bank: ChunkBank, shape: CarriedShape) -> None:
        tf = self._tf = load_tensorflow()
        self._model, self._unrolled, self._bank, self._shape = model, unrolled, bank, shape
        self._states = {
            name: tf.Variable(tf.zeros([bank.lanes, width]), trainable=False, name=f"lane_{name}")
            for name, width in shape.states.items()
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

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:  # noqa: ARG002 - every epoch alike
        """Passes over all training rows; every lane of every pass begins with an empty memory."""
        passes = [self._bank.schedule(random) for _ in range(self._passes)]
        steps = min(sum(max(map(len, queues)) for queues in passes), _MOST_STEPS)
        chunks = (_batch(chunks) for queues in passes for chunks in self._bank.train(queues))
        return steps, islice(chunks, steps)

    def held_out(self) -> Iterator[Batch]:
        """Held-out chunks, each behind one that warms the memory up."""
        return (_batch(chunks) for chunks in self._bank.held_out(_VALIDATION_CHUNKS, _VALIDATION_BATCH))

    def settled(self, epoch: int, epochs: int) -> bool:  # noqa: ARG002 - there is no schedule
        """Always."""
        return True

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Both errors, as means over the values that were observed, at the steps that count."""
        tf = self._tf
        rows, observed, counted, fresh = batch
        window, lags = self._shape.window, self._shape.lags
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
        lagged = tf.reshape(windows[:, :, window - lags :], flat)
        outputs = self._unrolled([read, lagged, *states], training=training)
        if training:
            for name, state in self._states.items():
                state.assign(tf.stop_gradient(outputs[NEXT_PREFIX + name]))
        steps = tf.cast(counted, tf.float32)[:, :, None]
        reconstruction, weight = self._mean_square(
            outputs[RECONSTRUCTION] - tf.reshape(windows, flat),
            tf.cast(tf.reshape(windows_seen, flat), tf.float32) * steps,
        )
        prediction, _ = self._mean_square(
            outputs[PREDICTION] - rows[:, window:], tf.cast(observed[:, window:], tf.float32) * steps
        )
        return {
            "loss": reconstruction + self._shape.prediction_weight * prediction,
            "weight": weight,
            RECONSTRUCTION: reconstruction,
            PREDICTION: prediction,
        }

    def _mean_square(self, residual: Any, weights: Any) -> tuple[Any, Any]:
        tf = self._tf
        weight = tf.maximum(tf.reduce_sum(weights), 1.0)
        return tf.reduce_sum(tf.square(residual) * weights) / weight, weight


def _batch(chunks: Chunks) -> Batch:
    return chunks.rows, chunks.observed, chunks.counted, chunks.fresh
