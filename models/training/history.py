"""What happened in a training, as data; the command line draws it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.fitting.record import EpochRecord, StopReason
from models.horizon import Horizon
from models.training.health import Finding
from models.training.misfits import Misfit


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """A training.

    Attributes:
        epochs: In order; an epoch cut short by a loss that is not finite is not among them. None where the fit has a
            closed form.
        best_epoch: The one whose weights were kept; 0 where there are no epochs.
        stopped: ``epochs`` (all done), ``no_improvement`` (early stopping), ``not_finite``, or ``closed_form``: there
            was nothing to repeat.
        message: For people; says why training ended.
        loss: Of the training windows, of the weights that were kept; see `EpochRecord`.
        val_loss: The same for held-out windows.
        parameters: Trainable numbers in the model.
        training_windows: Windows that could be drawn.
        held_out_windows: Windows that were held out.
        seconds: Duration of the whole, export not included.
        clipping: Bound on the gradients, in words.
        findings: What was wrong with the gradients, and what to do about it.
        misfits: Series that are unlike the others and would be better off with a model of their own.
        horizons: How far back the model looks, by part of its output; empty where that was not measured.
        carried_bytes: What a worker keeps of each series besides its window: memory of the model, of companions, of
            scores, of thresholds and of the warm-up.
        unexplained: Share of the held-out data's variance that each estimate leaves, in the median of the channels that
            move, and, for comparison, what the sample before would leave. The mean of a channel leaves 1.
        selection: How the model was chosen, as plain values (`models.selection`); None: somebody named it.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    stopped: StopReason
    message: str
    loss: float
    val_loss: float
    parameters: int
    training_windows: int
    held_out_windows: int
    seconds: float
    clipping: str
    findings: tuple[Finding, ...]
    misfits: tuple[Misfit, ...] = ()
    horizons: Mapping[str, Horizon] = field(default_factory=dict, hash=False)
    carried_bytes: int = 0
    unexplained: Mapping[str, float] = field(default_factory=dict, hash=False)
    selection: Mapping[str, object] | None = field(default=None, hash=False)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        horizons = {part: horizon.to_dict() for part, horizon in self.horizons.items()}
        return dataclasses.asdict(self) | {"horizons": horizons}
