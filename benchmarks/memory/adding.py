"""The adding problem (Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 1997, experiment 4).

A sequence of random numbers, two of which are marked, one in each half; at its end the sum of the two is asked for.
Whoever always answers 1 has a mean squared error of 1/6; to do better, both numbers must be remembered. Le, Jaitly and
Hinton,
"A Simple Way to Initialize Recurrent Networks of Rectified Linear Units" (2015), use it to compare cells by length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.backend import load_keras, load_tensorflow
from models.fitting.objective import Batch

Float32 = npt.NDArray[np.float32]

CHANCE = 1 / 6
"""Mean squared error of the constant 1: the variance of the sum of two numbers that are uniform in 0..1."""
SOLVED = 0.005
"""Held-out error at which training ends."""
BATCH = 32
STEPS_PER_EPOCH = 100
_HELD_OUT = 512


def draw(random: np.random.Generator, count: int, length: int) -> tuple[Float32, Float32]:
    """Draw sequences.

    Returns:
        float32[count, length, 2], the numbers and the marks, and float32[count, 1], the sums.
    """
    sequences = np.zeros((count, length, 2), np.float32)
    sequences[:, :, 0] = random.random((count, length))
    rows = np.arange(count)
    half = length // 2
    for marked in (random.integers(half, size=count), random.integers(half, length, size=count)):
        sequences[rows, marked, 1] = 1.0
    return sequences, (sequences[:, :, 0] * sequences[:, :, 1]).sum(axis=1, keepdims=True)


class Adding:
    """The problem as an objective of the training loop.

    Args:
        cell: Name of a recurrent layer in Keras.
        units: Width.
        length: Of the sequences.
        seed: Of weights and of the held-out sequences.
    """

    def __init__(self, cell: str, units: int, length: int, seed: int) -> None:
        keras = load_keras()
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((length, 2), name="sequence")
        last = getattr(keras.layers, cell)(units, name="memory")(inputs)
        self._model = keras.Model(inputs, keras.layers.Dense(1, name="sum")(last))
        self._length = length
        self._held_out = draw(np.random.default_rng(10_000 + seed), _HELD_OUT, length)

    @property
    def model(self) -> Any:
        """From sequences to sums."""
        return self._model

    @property
    def signature(self) -> tuple[Any, ...]:
        """Sequences and sums."""
        tf = load_tensorflow()
        return tf.TensorSpec([None, self._length, 2], tf.float32), tf.TensorSpec([None, 1], tf.float32)

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:  # noqa: ARG002
        """Sequences that were never seen before."""
        return STEPS_PER_EPOCH, (draw(random, BATCH, self._length) for _ in range(STEPS_PER_EPOCH))

    def held_out(self) -> Iterator[Batch]:
        """The same sequences every time."""
        yield self._held_out

    def settled(self, epoch: int, epochs: int) -> bool:  # noqa: ARG002
        """Plateaus belong to this problem: training goes on to its end."""
        return False

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Mean squared error."""
        tf = load_tensorflow()
        sequences, sums = batch
        errors = tf.square(self._model(sequences, training=training) - sums)
        return {"loss": tf.reduce_mean(errors), "weight": tf.cast(tf.size(errors), tf.float32)}

    def sample(self, count: int) -> Float32:
        """Held-out sequences to look at the memory horizon with."""
        return self._held_out[0][:count]
