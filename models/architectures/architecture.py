"""What the program knows of an architecture: how it is built and fitted, and what people should know to choose it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from models.architectures.options import Option
from models.outputs import RECONSTRUCTION

if TYPE_CHECKING:
    import keras

    from models.renewal import Renewal
    from models.scaling import Scaler
    from models.spec import ModelSpec
    from models.training.loop import LoopResult
    from models.training.objective import Objective
    from models.training.options import TrainOptions
    from models.training.windows import SeriesWindows, WindowBank

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

    spec: ModelSpec
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """An architecture.

    Attributes:
        name: As in a specification.
        summary: What it is, in a line.
        choose: When to choose it, in a line.
        papers: Where it comes from.
        build: Makes the model to serve from a specification, with initial weights that depend on its seed alone. Inputs
            and outputs are named as in `models.outputs`.
        fit: Fits what was built and returns what is to be served.
        options: What can be chosen beyond the shape.
        memory: ``window`` models forget between windows, ``carried`` ones keep a memory along the series.
        default_window: Samples in a window when nobody says; fewer if the data is short.
        default_latent: Width of the code when nobody says.
        default_parts: Estimates that a window is compared with when nobody says; see `models.scores.ScoreOptions`.
        resumable: Whether training can go on from a served model's weights.
        closed_form: Whether it is fitted at once, and comes out the same with every seed.
        check: Refuses a specification that is out of this architecture's range, with a `SpecError`.
    """

    name: str
    summary: str
    choose: str
    papers: tuple[str, ...]
    build: Callable[[ModelSpec], keras.Model]
    fit: Callable[[FittingTask], Fitted]
    options: tuple[Option, ...] = ()
    memory: Literal["window", "carried"] = "window"
    default_window: int = 64
    default_latent: int = 16
    default_parts: tuple[str, ...] = (RECONSTRUCTION,)
    resumable: bool = True
    closed_form: bool = False
    check: Callable[[ModelSpec], None] | None = None
