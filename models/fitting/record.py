"""What is noted down of a fit while it goes on: step by step for who watches, epoch by epoch to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from models.fitting.gradients import LayerNorms, NormSummary

StopReason = Literal["epochs", "no_improvement", "not_finite", "closed_form"]


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
        learning_rate: Step size in this epoch.
        gradient_norm: Norms of all gradients together, as they came.
        clipped_norm: The same after clipping.
        layers: The same by layer, in the model's order.
        clipped_steps: Steps whose gradients were clipped.
        steps: Steps of the optimiser.
        seconds: Duration.
        measures: What else the objective records, by name: values of its schedules, parts of its loss.
    """

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float
    gradient_norm: NormSummary
    clipped_norm: NormSummary
    layers: tuple[LayerNorms, ...]
    clipped_steps: int
    steps: int
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict, hash=False)
