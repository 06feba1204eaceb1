"""How a model is trained: every number in one place, with its default."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from models.errors import SpecError
from models.fitting.clipping import Clipping
from models.scaling import DEFAULT_CLIP

LEAST_EPOCHS, MOST_EPOCHS = 5, 60
MIN_FOLDS, MAX_FOLDS = 2, 20
DEFAULT_GLOBAL_CLIPNORM = 1.0
"""Scaled channels give gradients of this order at the beginning of a training, and a tenth of it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of a training.

    Attributes:
        epochs: At most so many; ``None``: as many as draw ``budget_windows``, within ``LEAST_EPOCHS..MOST_EPOCHS``.
        budget_windows: See ``epochs``.
        batch_windows: Windows in a step of the optimiser.
        max_windows_per_epoch: Of longer series, each epoch draws this many windows anew.
        max_held_out_windows: The validation loss is taken on at most this many held-out windows, spread evenly.
        max_calibration_windows: The threshold is set on at most this many held-out windows, the latest of each series.
        held_out_share: Share of each series, its end, that is not learned from.
        folds: 0, or in how many parts each series is measured by models that learned from its other parts, so that the
            final one learns from all of it: for data of which a share would be too little to measure on. It takes so
            many times as long, and once more.
        learning_rate: Largest step size of Adam; it falls along a cosine to nearly nothing over all epochs.
        patience: Training stops after this many epochs without improvement, and keeps the best weights.
        least_improvement: Share by which the validation loss must fall to count as improvement.
        clipping: Bound on the gradients.
        max_gap_steps: With a period: up to this many missing samples in a row are filled, as live.
        min_coverage: Least share of a window's values that must have been observed, as live.
        clip: Scaled values are cut to ``-clip..clip``.
        horizon_sequences: The memory horizon is measured on so many sequences; 0 does not measure it.
        threads: Threads of TensorFlow; ``None`` leaves it to TensorFlow. Effective once per process.

    Raises:
        SpecError: a value is out of range; the message names it.
    """

    epochs: int | None = None
    budget_windows: int = 22_000
    batch_windows: int = 64
    max_windows_per_epoch: int = 2048
    max_held_out_windows: int = 1024
    max_calibration_windows: int = 20_000
    held_out_share: float = 0.2
    folds: int = 0
    learning_rate: float = 5e-3
    patience: int = 5
    least_improvement: float = 2e-3
    clipping: Clipping = field(default_factory=lambda: Clipping(global_clipnorm=DEFAULT_GLOBAL_CLIPNORM))
    max_gap_steps: int = 5
    min_coverage: float = 0.5
    clip: float = DEFAULT_CLIP
    horizon_sequences: int = 16
    threads: int | None = None

    def __post_init__(self) -> None:
        counts = (
            "budget_windows",
            "batch_windows",
            "max_windows_per_epoch",
            "max_held_out_windows",
            "max_calibration_windows",
        )
        for name in (*counts, "patience"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise SpecError(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0 < self.held_out_share <= 0.5:
            raise SpecError(f"held_out_share is {self.held_out_share}; it must be above 0 and at most 0.5")
        if self.folds and not MIN_FOLDS <= self.folds <= MAX_FOLDS:
            raise SpecError(f"folds is {self.folds}; it must be 0, or from {MIN_FOLDS} to {MAX_FOLDS}")
        if not 0 <= self.min_coverage <= 1:
            raise SpecError(f"min_coverage is {self.min_coverage}; it must be from 0 to 1")
        if not 0 <= self.least_improvement < 1:
            raise SpecError(f"least_improvement is {self.least_improvement}; it must be from 0 to below 1")
        for name in ("max_gap_steps", "horizon_sequences"):
            if getattr(self, name) < 0:
                raise SpecError(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.epochs is not None and self.epochs < 1:
            raise SpecError(f"epochs is {self.epochs}; it must be at least 1")
        if self.threads is not None and self.threads < 1:
            raise SpecError(f"threads is {self.threads}; it must be at least 1")

    def epochs_for(self, training_windows: int) -> int:
        """Epochs to plan for when there are so many windows to draw from."""
        if self.epochs is not None:
            return self.epochs
        drawn = min(training_windows, self.max_windows_per_epoch)
        return min(max(round(self.budget_windows / drawn), LEAST_EPOCHS), MOST_EPOCHS)
