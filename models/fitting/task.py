"""What an architecture is asked to fit, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.fitting.loop import LoopResult
from models.fitting.objective import Objective
from models.fitting.options import TrainOptions
from models.fitting.windows import SeriesWindows, WindowBank
from models.renewal import Renewal
from models.scaling import Scaler
from models.shape import Shape

if TYPE_CHECKING:
    import keras

Int64 = npt.NDArray[np.int64]


class Minimise(Protocol):
    """Runs the optimiser's loop to its end: steps, gradient record, early stopping, in one place for all."""

    def __call__(self, objective: Objective, epochs: int | None = None) -> LoopResult:
        """Fit the objective's model, which holds the best weights afterwards.

        Args:
            objective: What to minimise.
            epochs: Epochs to plan for; what the options make of the number of training windows without it.

        Raises:
            TrainingError: the loss stopped being a number before the first epoch was over.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FittingTask:
    """What an architecture gets to fit its model.

    Attributes:
        spec: What to fit.
        model: What the architecture built of it, with initial weights.
        series: Where the windows of each series of the training data lie.
        scaler: Fitted on training rows alone.
        bank: The windows, scaled.
        held_out: int64[m], starts of the windows of the validation loss.
        options: How to train.
        minimise: Runs the loop.
    """

    spec: Shape
    model: keras.Model
    series: Mapping[str, SeriesWindows]
    scaler: Scaler
    bank: WindowBank
    held_out: Int64
    options: TrainOptions
    minimise: Minimise


class Fitted(NamedTuple):
    """A fitted model.

    Attributes:
        model: To be bundled and served.
        result: What the fit did.
        renewal: When carried memory is given up; None: never, or there is none.
    """

    model: keras.Model
    result: LoopResult
    renewal: Renewal | None = None
