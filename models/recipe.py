"""A recipe: everything that is chosen about a model before its data is known, in one value.

It may be fixed beforehand, as here, or be the winner of a selection; whoever trains follows it and need not know which.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.architectures import find
from models.architectures.options import complete
from models.calibration import CalibrationOptions
from models.errors import SpecError
from models.fitting.options import TrainOptions
from models.outputs import DAILY, LEVEL, LOCAL, MAYBE, RECONSTRUCTION
from models.scores import ScoreOptions
from models.shape import OptionValue
from models.spec import ModelSpec

WINDOWS_IN_LONGEST = 12
LEAST_WINDOW = 8
SHORT_ROWS = 1000
"""Training data with fewer rows is learned from and measured in turns; see `fixed`."""
SHORT_FOLDS = 4
SHORT_QUANTILE = 0.99
UNBOUNDED_CLIP = 1e4
"""A clip so far out that it cuts nothing that a score could tell apart, and float32 still has digits for what it
holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to train, how, and how to judge by it.

    Attributes:
        name: Short, for reports.
        architecture: One of `models.architectures`.
        options: Of the architecture; those that are not given have their defaults.
        window: Most samples in a window; None: as many as the architecture likes.
        units: Width of the recurrent layers.
        latent: Width of the code; None: the architecture's.
        score: What the score is made of.
        calibration: How the threshold is set.
        training: Attributes of `TrainOptions` other than their defaults.

    Raises:
        SpecError: there is no such architecture, option or attribute, or a value is out of range.
    """

    name: str
    architecture: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)
    window: int | None = None
    units: int = 64
    latent: int | None = None
    score: ScoreOptions = field(default_factory=ScoreOptions)
    calibration: CalibrationOptions = field(default_factory=lambda: CalibrationOptions(method="budget"))
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        complete(self.architecture, find(self.architecture).options, self.options)
        known = {option.name for option in dataclasses.fields(TrainOptions)}
        if odd := sorted(set(self.training) - known):
            raise SpecError(f"training has no option {odd[0]!r}; choose of: {', '.join(sorted(known))}")
        self.train_options()

    def train_options(self, **more: Any) -> TrainOptions:
        """Options of the training.

        Args:
            more: Attributes that the recipe leaves to its user, such as ``threads``; they win over the recipe's.
        """
        return TrainOptions(**{**self.training, **more})

    def spec(
        self, channels: tuple[str, ...], *, longest: int, period_seconds: float | None = None, seed: int = 0
    ) -> ModelSpec:
        """The model for some data.

        Args:
            channels: Their names.
            longest: Rows of the longest series to learn from.
            period_seconds: Step of the grid; None: windows count samples.
            seed: Of weights and sampling.
        """
        kind = find(self.architecture)
        return ModelSpec(
            channels=channels,
            architecture=self.architecture,
            options=dict(self.options),
            window=window_for(longest, self.window or kind.default_window),
            period_seconds=period_seconds,
            units=self.units,
            latent=self.latent or kind.default_latent,
            seed=seed,
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            **{name: getattr(self, name) for name in ("name", "architecture", "window", "units", "latent")},
            "options": dict(self.options),
            "score": dataclasses.asdict(self.score),
            "calibration": dataclasses.asdict(self.calibration),
            "training": {
                name: dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
                for name, value in self.training.items()
            },
        }


def window_for(longest: int, most: int) -> int:
    """Samples in a window when nobody says: as many as the architecture likes, or fewer.

    Args:
        longest: Rows of the longest series; it should hold more than a few windows.
        most: What the architecture likes.
    """
    return min(most, max(LEAST_WINDOW, longest // WINDOWS_IN_LONGEST))


def fixed(channels: int, rows: int) -> Recipe:
    """The recipe for data of a shape, when none is chosen by trying.

    - **One channel.** There is nothing to compare it with but its own past, which may change: an autoregression and a
      level that learn from the stream itself, weighed by how rare their errors are in it. Scaled values are hardly cut,
      since how far out a spike is tells it from the ordinary ones of a noisy stream. The trained model, principal
      components of the last samples, counts for nothing.
    - **Several channels.** An autoregression, which is fitted in closed form and has no seed, and what is usual at this
      time of the day, if held-out data has a rhythm of the day.
    - **Few rows**, of several channels. Every part of the data is predicted by a model that learned from the others,
      and these errors take the place of those of held-out data. They are too few for a tail, and larger than those of
      the final model, which learned from all of it: their 99 % quantile is the threshold.

    Args:
        channels: Number of channels.
        rows: Rows to learn from, of all series together.
    """
    if channels == 1:
        return Recipe(
            name="local",
            architecture="pca",
            score=ScoreOptions(parts=(LOCAL, LEVEL), scales=(1, 10), link="surprise"),
            training={"clip": UNBOUNDED_CLIP, "held_out_share": 0.5},
        )
    score = ScoreOptions(parts=(RECONSTRUCTION, DAILY + MAYBE))
    if rows < SHORT_ROWS:
        return Recipe(
            name="linear, short",
            architecture="autoregression",
            score=score,
            calibration=CalibrationOptions(method="quantile", quantile=SHORT_QUANTILE),
            training={"folds": SHORT_FOLDS},
        )
    return Recipe(name="linear", architecture="autoregression", score=score)
