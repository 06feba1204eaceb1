"""The optimiser's loop: steps, gradient norms, early stopping, and what to do when the loss is no number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.backend import load_keras, load_tensorflow
from models.errors import TrainingError
from models.training.history import EpochRecord, Progress, StopReason
from models.training.options import TrainOptions
from models.training.windows import WindowBank

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

LEAST_RATE_SHARE = 0.02
"""The step size ends at this share of where it began."""


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What the loop did; the model holds the best weights. Fields as in `TrainingHistory`."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped: StopReason
    message: str


class TrainingLoop:
    """Fits a model to the windows of a bank.

    The loss is the mean squared error over the observed values.

    Args:
        model: Keras model from float32[n, window, channels] to the same shape.
        bank: Where windows come from.
        held_out: int64[n], starts of the windows of the validation loss.
        options: How to train.
        seed: Of the order in which windows are drawn.
        clock: Seconds that never run backwards.
        progress: Is told after each step.
    """

    def __init__(
        self,
        model: Any,
        bank: WindowBank,
        held_out: Int64,
        options: TrainOptions,
        seed: int,
        clock: Callable[[], float],
        progress: Progress | None,
    ) -> None:
        self._model, self._bank, self._held_out, self._options = model, bank, held_out, options
        self._epochs = options.epochs_for(bank.train.size)
        self._random = np.random.default_rng(seed)
        self._clock, self._progress = clock, progress
        self._optimizer = load_keras().optimizers.Adam(options.learning_rate)
        self._optimizer.build(model.trainable_variables)
        self._step, self._loss = _graph_functions(model, self._optimizer, options.clip_norm)

    def run(self) -> LoopResult:
        """Train until there is nothing more to gain.

        Raises:
            TrainingError: the loss stopped being a number before the first epoch was over.
        """
        options = self._options
        records: list[EpochRecord] = []
        best_epoch, best_loss, best_weights = 0, math.inf, self._model.get_weights()
        epochs, since_best = self._epochs, 0
        stopped: StopReason = "epochs"
        message = f"all {epochs} epochs done"
        for epoch in range(1, epochs + 1):
            rate = self._rate(epoch)
            record = self._epoch(epoch, rate)
            if record is None:
                if not best_epoch:
                    raise TrainingError(
                        f"the loss became infinite or no number in epoch {epoch}; lower learning_rate ({rate:g}) or"
                        f" clip_norm ({options.clip_norm:g}), and look at the data for extreme values"
                    )
                stopped = "not_finite"
                message = (
                    f"the loss became infinite or no number in epoch {epoch};"
                    f" the weights of epoch {best_epoch} were kept"
                )
                break
            records.append(record)
            since_best = 0 if record.val_loss < best_loss * (1 - options.least_improvement) else since_best + 1
            if record.val_loss < best_loss:
                best_epoch, best_loss, best_weights = epoch, record.val_loss, self._model.get_weights()
            if since_best >= options.patience:
                stopped = "no_improvement"
                message = f"no improvement in {options.patience} epochs; the weights of epoch {best_epoch} were kept"
                break
        self._model.set_weights(best_weights)
        return LoopResult(tuple(records), best_epoch, stopped, message)

    def _rate(self, epoch: int) -> float:
        """Half a cosine over the planned epochs (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts)."""
        fall = (1 + math.cos(math.pi * (epoch - 1) / max(self._epochs - 1, 1))) / 2
        return self._options.learning_rate * (LEAST_RATE_SHARE + (1 - LEAST_RATE_SHARE) * fall)

    def _epoch(self, epoch: int, rate: float) -> EpochRecord | None:
        """Run one epoch; ``None`` if a loss was not finite."""
        options, began = self._options, self._clock()
        self._optimizer.learning_rate.assign(rate)
        starts = self._random.permutation(self._bank.train)[: options.max_windows_per_epoch]
        # Of even size: a last batch of a few windows would weigh each of them far more than the others.
        batches = np.array_split(starts, math.ceil(starts.size / options.batch_windows))
        losses, norms = np.zeros(len(batches)), np.zeros(len(batches))
        val_loss = math.nan
        for index, batch in enumerate(batches):
            loss, norm = self._step(*self._bank.draw(batch))
            losses[index], norms[index] = float(loss), float(norm)
            if not (np.isfinite(losses[index]) and np.isfinite(norms[index])):
                return None
            logs = {"loss": float(losses[: index + 1].mean()), "gradient_norm": float(norms[index])}
            if index == len(batches) - 1:
                val_loss = self._validate()
                if not math.isfinite(val_loss):
                    return None
                logs["val_loss"] = val_loss
            if self._progress is not None:
                self._progress(epoch, self._epochs, index + 1, len(batches), logs)
        clipped = np.minimum(norms, options.clip_norm)
        return EpochRecord(
            epoch=epoch,
            loss=float(losses.mean()),
            val_loss=val_loss,
            learning_rate=rate,
            gradient_norm_mean=float(norms.mean()),
            gradient_norm_max=float(norms.max()),
            clipped_norm_mean=float(clipped.mean()),
            clipped_norm_max=float(clipped.max()),
            clipped_steps=int((norms > options.clip_norm).sum()),
            steps=len(batches),
            seconds=self._clock() - began,
        )

    def _validate(self) -> float:
        total = count = 0.0
        for begin in range(0, self._held_out.size, 256):
            windows, observed = self._bank.draw(self._held_out[begin : begin + 256])
            squares, seen = self._loss(windows, observed)
            total, count = total + float(squares), count + float(seen)
        return total / max(count, 1.0)


def _graph_functions(model: Any, optimizer: Any, clip_norm: float) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile a step of the optimiser, and the sums that the validation loss is made of.

    Not jitted by XLA: on CPU its while loops run this network at less than half the speed.
    """
    tf = load_tensorflow()
    shape = [None, *model.input_shape[1:]]
    signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape, tf.bool)]

    def sums(windows: Any, observed: Any, *, training: bool) -> tuple[Any, Any]:
        seen = tf.cast(observed, tf.float32)
        return tf.reduce_sum(tf.square(model(windows, training=training) - windows) * seen), tf.reduce_sum(seen)

    def step(windows: Any, observed: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            squares, seen = sums(windows, observed, training=True)
            loss = squares / tf.maximum(seen, 1.0)
        variables = model.trainable_variables
        gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, variables), clip_norm)
        optimizer.apply(gradients, variables)
        return loss, norm

    def loss_sums(windows: Any, observed: Any) -> tuple[Any, Any]:
        return sums(windows, observed, training=False)

    compile_graph = tf.function(input_signature=signature)
    return compile_graph(step), compile_graph(loss_sums)
