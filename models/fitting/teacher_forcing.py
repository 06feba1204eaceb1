"""Training of a decoder that feeds on its own output: on the truth, or on less and less of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.backend import load_tensorflow
from models.fitting.objective import Batch, WindowObjective
from models.fitting.task import FittingTask

_STEEPNESS = 12.0
"""Of the inverse sigmoid: it leaves 1, and arrives at the least share, within a hundredth."""
_LEAST_BASE = 0.01
"""An exponential never gets to nothing; to this share of the way it does."""
_SETTLED_AFTER = 0.75
"""Of the epochs, when sampling changes from epoch to epoch."""


class TeacherForcing(WindowObjective):
    """Mean squared error of a decoder that is fed the true sample before with a certain probability, else its own.

    Always the truth is teacher forcing (Williams and Zipser, 1989). A probability that falls from epoch to epoch is
    scheduled sampling (Bengio et al., NIPS 2015); the coin is tossed for every window and step.

    Held-out windows are measured as the model is served: it is fed nothing.

    Args:
        model: From windows and what is fed to the reconstruction, the last sample first; see
            `models.architectures.seq2seq.training_model`.
        task: Windows, options, and the specification with ``sampling`` and ``least_truth``.
    """

    def __init__(self, model: Any, task: FittingTask) -> None:
        super().__init__(model, task.bank, task.held_out, task.options)
        self._steps = task.spec.window - 1
        self._sampling = str(task.spec.options["sampling"])
        self._least = float(task.spec.options["least_truth"])

    @property
    def signature(self) -> tuple[Any, ...]:
        """Windows, where they were observed, and float32[n, window - 1, 1]: 1 where the truth is fed, else 0."""
        tf = load_tensorflow()
        return (*super().signature, tf.TensorSpec([None, self._steps, 1], tf.float32))

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:
        """Windows drawn anew, with coins."""
        count, drawn = super().batches(epoch, epochs, random)
        truth = self.truth(epoch, epochs)

        def with_coins() -> Iterator[Batch]:
            for windows, observed in drawn:
                fed = random.random((len(windows), self._steps, 1)) < truth
                yield windows, observed, fed.astype(np.float32)

        return count, with_coins()

    def held_out(self) -> Iterator[Batch]:
        """The held-out windows; the decoder is fed nothing."""
        for windows, observed in super().held_out():
            yield windows, observed, np.zeros((len(windows), self._steps, 1), np.float32)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Late in the schedule, if there is one."""
        return self._sampling == "none" or epoch >= _SETTLED_AFTER * epochs

    def truth(self, epoch: int, epochs: int) -> float:
        """Probability with which the truth is fed in an epoch: from 1 in the first to the least in the last."""
        place = (epoch - 1) / max(epochs - 1, 1)
        if self._sampling == "none":
            return 1.0
        if self._sampling == "linear":
            left = 1 - place
        elif self._sampling == "exponential":
            left = (_LEAST_BASE**place - _LEAST_BASE) / (1 - _LEAST_BASE)
        else:
            low, high = (1 / (1 + math.exp(_STEEPNESS * half)) for half in (0.5, -0.5))
            left = (1 / (1 + math.exp(_STEEPNESS * (place - 0.5))) - low) / (high - low)
        return self._least + (1 - self._least) * left

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Mean squared error, and the share of samples that were fed."""
        tf = load_tensorflow()
        windows, observed, fed = batch
        reconstruction = tf.reverse(self._model([windows, fed], training=training), [1])
        seen = tf.cast(observed, tf.float32)
        values = tf.maximum(tf.reduce_sum(seen), 1.0)
        return {
            "loss": tf.reduce_sum(tf.square(reconstruction - windows) * seen) / values,
            "weight": values,
            "truth_fed": tf.reduce_mean(fed),
        }
