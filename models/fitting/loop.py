"""The optimiser's loop: steps, gradient norms, early stopping, and what to do when the loss is no number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.backend import load_keras, load_tensorflow
from models.errors import TrainingError
from models.fitting.clipping import Clipping
from models.fitting.gradients import GradientRecord, LayerGroup, layer_groups, layer_norms
from models.fitting.objective import Objective
from models.fitting.options import TrainOptions
from models.fitting.record import EpochRecord, Progress, StopReason

LEAST_RATE_SHARE = 0.02
"""The step size ends at this share of where it began."""


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What a fit did; the model holds the best weights. Fields as in `TrainingHistory`."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped: StopReason
    message: str
    loss: float
    val_loss: float


class _NotFiniteError(Exception):
    """A loss or a gradient is infinite or no number; the text says which, and where."""


class TrainingLoop:
    """Fits a model to an objective with Adam, whose step size falls along a cosine.

    Args:
        objective: Model, batches and loss.
        epochs: Epochs to plan for.
        options: How to train.
        seed: Of whatever the objective draws.
        clock: Seconds that never run backwards.
        progress: Is told after each step.
    """

    def __init__(
        self,
        objective: Objective,
        epochs: int,
        options: TrainOptions,
        seed: int,
        clock: Callable[[], float],
        progress: Progress | None,
    ) -> None:
        self._objective, self._epochs, self._options = objective, epochs, options
        self._random = np.random.default_rng(seed)
        self._clock, self._progress = clock, progress
        self._model = objective.model
        self._groups = layer_groups(self._model.trainable_variables)
        self._optimizer = load_keras().optimizers.Adam(options.learning_rate)
        self._optimizer.build(self._model.trainable_variables)
        self._step, self._loss = _graph_functions(objective, self._optimizer, options.clipping, self._groups)

    def run(self) -> LoopResult:
        """Train until there is nothing more to gain.

        A loss or a gradient that is infinite or no number ends training: the step that it led to has spoiled the
        weights, and with them all that would follow.

        Raises:
            TrainingError: that happened before the first epoch was over, so that there are no good weights to keep.
        """
        options = self._options
        records: list[EpochRecord] = []
        best_epoch, best_loss, best_weights = 0, math.inf, self._model.get_weights()
        epochs, since_best = self._epochs, 0
        stopped: StopReason = "epochs"
        message = f"all {epochs} epochs done"
        for epoch in range(1, epochs + 1):
            rate = self._rate(epoch)
            try:
                record = self._epoch(epoch, rate)
            except _NotFiniteError as problem:
                if not best_epoch:
                    raise TrainingError(
                        f"{problem}; lower learning_rate ({rate:g}) or the bound on gradients ({options.clipping}),"
                        " and look at the data for extreme values"
                    ) from problem
                stopped = "not_finite"
                message = f"{problem}; the weights of epoch {best_epoch} were kept"
                break
            records.append(record)
            improved = record.val_loss < best_loss * (1 - options.least_improvement)
            since_best = 0 if improved or not self._objective.settled(epoch, epochs) else since_best + 1
            if record.val_loss < best_loss:
                best_epoch, best_loss, best_weights = epoch, record.val_loss, self._model.get_weights()
            if since_best >= options.patience:
                stopped = "no_improvement"
                message = f"no improvement in {options.patience} epochs; the weights of epoch {best_epoch} were kept"
                break
        self._model.set_weights(best_weights)
        best = records[best_epoch - 1]
        return LoopResult(tuple(records), best_epoch, stopped, message, best.loss, best.val_loss)

    def _rate(self, epoch: int) -> float:
        """Half a cosine over the planned epochs (Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts)."""
        fall = (1 + math.cos(math.pi * (epoch - 1) / max(self._epochs - 1, 1))) / 2
        return self._options.learning_rate * (LEAST_RATE_SHARE + (1 - LEAST_RATE_SHARE) * fall)

    def _epoch(self, epoch: int, rate: float) -> EpochRecord:
        """Run one epoch.

        Raises:
            _NotFiniteError: a loss or a gradient was not finite.
        """
        began = self._clock()
        self._optimizer.learning_rate.assign(rate)
        steps, batches = self._objective.batches(epoch, self._epochs, self._random)
        gradients = GradientRecord(self._groups)
        totals: dict[str, float] = {}
        val_loss = math.nan
        for index, batch in enumerate(batches, 1):
            figures, before, after, clipped = self._step(*batch)
            for name, value in figures.items():
                totals[name] = totals.get(name, 0.0) + float(value)
            norm = gradients.add(before.numpy(), after.numpy(), bool(clipped))
            where = f"in step {index} of epoch {epoch}"
            if not math.isfinite(totals["loss"]):
                raise _NotFiniteError(f"the loss became infinite or no number {where}")
            if not math.isfinite(norm):
                layer = gradients.bad_layer()
                raise _NotFiniteError(f"the gradient of layer {layer!r} became infinite or no number {where}")
            logs = {"loss": totals["loss"] / index, "gradient_norm": norm}
            if index == steps:
                val_loss = self._validate()
                if not math.isfinite(val_loss):
                    raise _NotFiniteError(f"the held-out loss became infinite or no number after epoch {epoch}")
                logs["val_loss"] = val_loss
            if self._progress is not None:
                self._progress(epoch, self._epochs, index, steps, logs)
        whole_before, whole_after, layers = gradients.summaries()
        return EpochRecord(
            epoch=epoch,
            loss=totals["loss"] / steps,
            val_loss=val_loss,
            measures={name: total / steps for name, total in totals.items() if name not in ("loss", "weight")},
            learning_rate=rate,
            gradient_norm=whole_before,
            clipped_norm=whole_after,
            layers=layers,
            clipped_steps=gradients.clipped_steps,
            steps=steps,
            seconds=self._clock() - began,
        )

    def _validate(self) -> float:
        total = count = 0.0
        for batch in self._objective.held_out():
            figures = self._loss(*batch)
            weight = float(figures["weight"])
            total, count = total + float(figures["loss"]) * weight, count + weight
        return total / max(count, 1.0)


def _graph_functions(
    objective: Objective, optimizer: Any, clipping: Clipping, groups: tuple[LayerGroup, ...]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile a step of the optimiser, and the validation loss.

    Not jitted by XLA: on CPU its while loops run recurrent layers at less than half the speed.
    """
    tf = load_tensorflow()
    variables = objective.model.trainable_variables

    def step(*batch: Any) -> tuple[Mapping[str, Any], Any, Any, Any]:
        with tf.GradientTape() as tape:
            figures = objective.loss(batch, training=True)
        # A weight that this batch does not reach has no gradient, which is one of zeros.
        gradients = tape.gradient(figures["loss"], variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        clipped, changed = clipping.apply(gradients)
        optimizer.apply(clipped, variables)
        return figures, layer_norms(groups, gradients), layer_norms(groups, clipped), changed

    def loss(*batch: Any) -> Mapping[str, Any]:
        return objective.loss(batch, training=False)

    # Without autograph, which would look into the source of all that a loss calls: losses are written as graphs.
    compile_graph = tf.function(input_signature=objective.signature, autograph=False)
    return compile_graph(step), compile_graph(loss)
