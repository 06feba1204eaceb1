"""What happened in a training, epoch by epoch, as data; the command line draws it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from models.training.gradients import LayerNorms, NormSummary
from models.training.health import Finding

StopReason = Literal["epochs", "no_improvement", "not_finite"]


class Progress(Protocol):
    """Is told after every step of the optimiser. What it raises ends the training."""

    def __call__(self, epoch: int, epochs: int, batch: int, batches: int, logs: dict[str, float]) -> None:
        """Take note.

        Args:
            epoch: From 1.
            epochs: At most so many will follow each other.
            batch: From 1; the last of an epoch comes with ``val_loss``.
            batches: In this epoch.
            logs: ``loss`` (mean of the epoch so far) and ``gradient_norm`` (of this step, before clipping).
        """


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: From 1.
        loss: What the optimiser minimised; for windows the mean squared error, in scaled units.
        val_loss: The same for held-out data, after the epoch.
        parts: Parts of the loss by name, where it has several; means over the steps.
        learning_rate: Step size in this epoch.
        gradient_norm: Norms of all gradients together, as they came.
        clipped_norm: The same after clipping.
        layers: The same by layer, in the model's order.
        clipped_steps: Steps whose gradients were clipped.
        steps: Steps of the optimiser.
        seconds: Duration.
    """

    epoch: int
    loss: float
    val_loss: float
    parts: Mapping[str, float]
    learning_rate: float
    gradient_norm: NormSummary
    clipped_norm: NormSummary
    layers: tuple[LayerNorms, ...]
    clipped_steps: int
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """A training.

    Attributes:
        epochs: In order; an epoch cut short by a loss that is not finite is not among them.
        best_epoch: The one whose weights were kept.
        stopped: ``epochs`` (all done), ``no_improvement`` (early stopping) or ``not_finite``.
        message: For people; says why training ended.
        parameters: Trainable numbers in the model.
        training_windows: Windows that could be drawn.
        held_out_windows: Windows that were held out.
        seconds: Duration of the whole, export not included.
        clipping: Bound on the gradients, in words.
        findings: What was wrong with the gradients, and what to do about it.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped: StopReason
    message: str
    parameters: int
    training_windows: int
    held_out_windows: int
    seconds: float
    clipping: str
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)
