"""What the training loop fits: a model, batches for it, and the loss of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.backend import load_tensorflow
from models.fitting.options import TrainOptions
from models.fitting.windows import WindowBank

Int64 = npt.NDArray[np.int64]
Batch = tuple[Any, ...]
"""Arrays, or scalars such as the weight that a term of the loss has in this epoch."""

_VALIDATION_BATCH = 256


class Objective(Protocol):
    """Batches and their loss; everything that is particular to a way of training is behind this.

    What changes from epoch to epoch (how often a decoder is fed the truth, the weight of a divergence) goes into the
    batches as scalars, so that the graph is compiled once. What lives from batch to batch (carried state) is kept in
    ``tf.Variable`` s of the objective, which `loss` assigns and `batches` resets.
    """

    @property
    def model(self) -> Any:
        """The Keras model that is fitted: its trainable variables move, and its best weights are kept."""

    @property
    def signature(self) -> tuple[Any, ...]:
        """``tf.TensorSpec`` of each member of a batch."""

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:
        """Number of batches of an epoch (from 1 to ``epochs``), and the batches, which are made as they are asked for.

        An objective may plan at most ``epochs`` epochs; fewer follow each other when training stops early.
        """

    def held_out(self) -> Iterator[Batch]:
        """Batches of the validation loss."""

    def settled(self, epoch: int, epochs: int) -> bool:
        """Whether an epoch without improvement counts: not while a schedule still changes what is minimised."""

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Loss of a batch; called once with symbolic tensors, to be compiled.

        Args:
            batch: Tensors, as in the signature.
            training: Whether the optimiser is about to step, rather than held-out data being measured.

        Returns:
            Scalars: ``loss``, a mean, which the optimiser minimises; ``weight``, how many values it is the mean of; and
            measures by any other name, such as parts of the loss, which are recorded as means over the steps.
        """


class WindowObjective:
    """Mean squared error of a window's reconstruction, over the values that were observed.

    Args:
        model: Keras model from float32[n, window, channels] to its reconstruction, or to a mapping that holds it.
        bank: Where windows come from.
        held_out: int64[n], starts of the windows of the validation loss.
        options: Windows per batch and epoch.
    """

    def __init__(self, model: Any, bank: WindowBank, held_out: Int64, options: TrainOptions) -> None:
        self._model, self._bank, self._held_out, self._options = model, bank, held_out, options

    @property
    def model(self) -> Any:
        """The model."""
        return self._model

    @property
    def signature(self) -> tuple[Any, ...]:
        """Windows and where they were observed."""
        tf = load_tensorflow()
        shape = [None, *self._model.inputs[0].shape[1:]]
        return tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)

    def batches(self, epoch: int, epochs: int, random: np.random.Generator) -> tuple[int, Iterator[Batch]]:  # noqa: ARG002 - every epoch alike
        """Windows drawn anew."""
        starts = random.permutation(self._bank.train)[: self._options.max_windows_per_epoch]
        # Of even size: a last batch of a few windows would weigh each of them far more than the others.
        parts = np.array_split(starts, math.ceil(starts.size / self._options.batch_windows))
        return len(parts), (self._bank.draw(part) for part in parts)

    def held_out(self) -> Iterator[Batch]:
        """The held-out windows."""
        for begin in range(0, self._held_out.size, _VALIDATION_BATCH):
            yield self._bank.draw(self._held_out[begin : begin + _VALIDATION_BATCH])

    def settled(self, epoch: int, epochs: int) -> bool:  # noqa: ARG002 - there is no schedule
        """Always."""
        return True

    def loss(self, batch: Batch, *, training: bool) -> Mapping[str, Any]:
        """Mean squared error."""
        tf = load_tensorflow()
        windows, observed = batch
        outputs = self._model(windows, training=training)
        reconstruction = outputs["reconstruction"] if isinstance(outputs, Mapping) else outputs
        seen = tf.cast(observed, tf.float32)
        weight = tf.maximum(tf.reduce_sum(seen), 1.0)
        return {"loss": tf.reduce_sum(tf.square(reconstruction - windows) * seen) / weight, "weight": weight}
