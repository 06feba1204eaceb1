"""What to train on the series of a set: one choice for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.cli.common.judgement import incident_counter
from detector.errors import DetectorError
from detector.evaluation import Task, read_training
from detector.settings import IncidentSettings
from detector.training_data import median_period_seconds
from models.errors import ModelsError
from models.selection import Stream, select_for_all

if TYPE_CHECKING:
    from models.recipe import Recipe
    from models.selection import Selection

MOST_SERIES = 6
"""Of a set with more, so many are tried on, evenly spread."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the series of a set are trained by.

    Attributes:
        recipe: For all of them; None: that for the shape of each.
        reason: Why, in words; empty: it was asked for.
        tried_on: Names of the series that it was found on.
        selection: How it was found; None: nothing was tried.
    """

    recipe: Recipe | None
    reason: str = ""
    tried_on: tuple[str, ...] = ()
    selection: Selection | None = None

    @property
    def name(self) -> str:
        """For people."""
        return "the recipe for the shape of the data" if self.recipe is None else self.recipe.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "recipe": None if self.recipe is None else self.recipe.to_dict(),
            "reason": self.reason,
            "tried_on": list(self.tried_on),
            "selection": None if self.selection is None else self.selection.to_dict(),
        }


def choose(tasks: Sequence[Task], budget_seconds: float, seed: int, threads: int | None = 1) -> Choice:
    """Try models on some series of a set, on what each is trained on. Runs in a process of its own.

    Whatever cannot be tried leaves the recipe: an evaluation does not fail for want of something better.

    Args:
        tasks: Series of one set.
        budget_seconds: For all of them together.
        seed: Of faults and weights.
        threads: Of TensorFlow; None: as many as it likes.
    """
    places = np.linspace(0, len(tasks) - 1, min(len(tasks), MOST_SERIES)).astype(int)
    chosen = [tasks[place] for place in places.tolist()]
    names = tuple(task.name for task in chosen)
    try:
        streams = []
        for task in chosen:
            series, channels = read_training(task)
            streams.append(Stream(series, channels, median_period_seconds(series)))
        found = select_for_all(
            streams,
            lambda window: incident_counter(IncidentSettings(), window),
            budget_seconds,
            seed,
            threads,
        )
    except (ModelsError, DetectorError) as error:
        return Choice(None, f"nothing could be tried: {error}", names)
    return Choice(None if found.kept else found.recipe, found.reason, names, found)
