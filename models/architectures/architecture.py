"""What the program knows of an architecture: how it is built and fitted, and what people should know to choose it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.architectures.options import Option
from models.fitting.task import Fitted, FittingTask
from models.outputs import RECONSTRUCTION
from models.shape import Shape

if TYPE_CHECKING:
    import keras


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
    build: Callable[[Shape], keras.Model]
    fit: Callable[[FittingTask], Fitted]
    options: tuple[Option, ...] = ()
    memory: Literal["window", "carried"] = "window"
    default_window: int = 64
    default_latent: int = 16
    default_parts: tuple[str, ...] = (RECONSTRUCTION,)
    resumable: bool = True
    closed_form: bool = False
    check: Callable[[Shape], None] | None = None
