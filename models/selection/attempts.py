"""What comes of trying a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from models.injection import Precision
from models.recipe import Recipe
from models.selection.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a recipe did.

    Attributes:
        recipe: The model and its score.
        precision: On injected faults and benign changes.
        late: Share of the ordinary rows of the trial, which are later than all else, that score above the 99% quantile
            of held-out rows: 0.01 if ordinary data stays as it was.
        gain: What a network's prediction of those rows is better by than that of the linear model beside it; see
            `models.selection.gain`. None: it makes no such predictions, or the score does not look at them.
        epoch_seconds: What one more epoch of its training takes; None: that is not known.
    """

    recipe: Recipe
    precision: Precision
    late: float
    gain: float | None = None
    epoch_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of training a candidate.

    Attributes:
        candidate: Its name.
        epochs: At most so many.
        seed: Of weights and sampling.
        seconds: How long it took, injected faults included.
        outcomes: One for each way to judge by it.
    """

    candidate: str
    epochs: int
    seed: int
    seconds: float
    outcomes: tuple[Outcome, ...]

    def would_take(self, epochs: int) -> float:
        """Seconds that the same would take with other epochs: most of a short training is not training."""
        if (one := self.outcomes[0].epoch_seconds) is None:
            return self.seconds / self.epochs * epochs
        return self.seconds + one * (epochs - self.epochs)


class TryOut(Protocol):
    """Trains a candidate and judges by it."""

    def __call__(self, candidate: Candidate, epochs: int, seed: int) -> tuple[Outcome, ...]:
        """Do so; the same arguments give the same outcomes.

        Raises:
            ModelsError: it cannot be trained on this data.
        """
