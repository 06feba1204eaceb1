"""Training of a variational autoencoder: samples of the code, and a divergence whose weight rises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from models.backend import load_tensorflow
from models.fitting.objective import Batch, WindowObjective
from models.fitting.task import FittingTask

CYCLES = 4
"""Of cyclical annealing, as in its paper."""


class VariationalObjective(WindowObjective):
    """The negative evidence lower bound of windows, by the reparameterisation of Kingma and Welling (ICLR 2014).

    The noise of the observations has the variance that fits best, which is the mean squared error itself, so that
    nobody has to guess it (Rybkin et al., ICML 2021). With it, and per observed value, the bound's gradient is that of
    ``mse + beta * 2 * variance * divergence / values``, up to a factor. That is the loss: in the units of the mean
    squared error that the other architectures have.

    Held-out windows are measured as the model is served: the mean of the code, and the final weight.

    Args:
        model: What is served.
        encoder: From windows to mean and logarithm of the variance of the code; shares layers with the model.
        decoder: From a code to the reconstruction; shares layers with the model.
        task: Windows, options, and the specification with ``beta`` and ``annealing``.
    """

    def __init__(self, model: Any, encoder: Any, decoder: Any, task: FittingTask) -> None:
        super().__init__(model, task.bank, task.held_out, task.options)
        self._encoder, self._decoder = encoder, decoder
        self._latent = task.spec.latent
        options = task.spec.options
        self._beta, self._share = float(options["beta"]), float(options["annealing_share"])
        self._annealing = str(options["annealing"])

    @property
    def signature(self) -> tuple[Any, ...]:
        """Windows, where they were observed, float32[n, latent] normal noise, and the weight of the divergence."""
        tf = load_tensorflow()
        return (*super().signature, tf.TensorSpec([None, self._latent], tf.float32), tf.TensorSpec([], tf.float32))

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:
        """Windows drawn anew, with noise for a sample of each one's code."""
        count, drawn = super().batches(epoch, epochs, random)
        weight = np.float32(self.weight(epoch, epochs))

        def with_noise() -> Iterator[Batch]:
            for windows, observed in drawn:
                noise = random.standard_normal((len(windows), self._latent), np.float32)
                yield windows, observed, noise, weight

        return count, with_noise()

    def held_out(self) -> Iterator[Batch]:
        """The held-out windows without noise, as the model is served."""
        for windows, observed in super().held_out():
            yield windows, observed, np.zeros((len(windows), self._latent), np.float32), np.float32(self._beta)

    def settled(self, epoch: int, epochs: int) -> bool:
        """Once the weight of the divergence rises no more."""
        return all(self.weight(later, epochs) == self._beta for later in range(epoch, epochs + 1))

    def weight(self, epoch: int, epochs: int) -> float:
        """Weight of the divergence in an epoch: from 0 up to ``beta``."""
        if self._annealing == "none":
            return self._beta
        cycles = CYCLES if self._annealing == "cyclical" else 1
        # A cycle has at least one epoch to rise in and one at the top.
        length = max(2.0, epochs / cycles)
        place = math.fmod(epoch - 1, length) if cycles > 1 else epoch - 1
        return self._beta * min(1.0, place / (self._share * length))

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """See the class; the parts are recorded by themselves, the divergence in nats per window."""
        tf = load_tensorflow()
        windows, observed, noise, weight = batch
        mean, log_variance = self._encoder(windows, training=training)
        reconstruction = self._decoder(mean + noise * tf.exp(0.5 * log_variance), training=training)
        seen = tf.cast(observed, tf.float32)
        values = tf.maximum(tf.reduce_sum(seen), 1.0)
        mean_square = tf.reduce_sum(tf.square(reconstruction - windows) * seen) / values
        divergence = 0.5 * tf.reduce_sum(tf.square(mean) + tf.exp(log_variance) - 1.0 - log_variance)
        variance = tf.stop_gradient(mean_square)
        return {
            "loss": mean_square + weight * 2.0 * variance * divergence / values,
            "weight": values,
            "mean_square": mean_square,
            "kl_nats": divergence / tf.cast(tf.shape(windows)[0], tf.float32),
            "kl_weight": weight,
        }
