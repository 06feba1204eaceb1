"""What is tried: models, and for each the ways to judge by it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from models.architectures import find
from models.outputs import DAILY, LINEAR, MAYBE, PREDICTION, RECONSTRUCTION
from models.recipe import SHORT_ROWS, Recipe, fixed
from models.scores import ScoreOptions

GAUSSIAN = "gaussian"
PERIODIC = DAILY + MAYBE


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model and the scores that are tried on its outputs, without training it again.

    Attributes:
        recipe: Of the model; its score plays no part.
        scores: At least one.
    """

    recipe: Recipe
    scores: tuple[ScoreOptions, ...]

    @property
    def name(self) -> str:
        """The model's, for reports."""
        return self.recipe.name

    @property
    def repeated(self) -> bool:
        """Whether it is trained by steps, so that more epochs and other seeds may change it."""
        return not seedless(self.recipe)

    @property
    def most_rows(self) -> int:
        """How many of a window's last rows any of the scores looks at."""
        return max(score.tail for score in self.scores)

    def with_score(self, score: ScoreOptions) -> Recipe:
        """The recipe of this model, judged in this way."""
        parts = "+".join(score.parts) or "own"
        rows = f", {score.tail} rows" if score.tail > 1 else ""
        return replace(self.recipe, name=f"{self.recipe.name}: {parts}, {score.kind}{rows}", score=score)


def seedless(recipe: Recipe) -> bool:
    """Whether it comes out the same with every seed: a linear model, which a network has to surpass."""
    return find(recipe.architecture).closed_form


def candidates(channels: int, rows: int, *, periodic: bool) -> tuple[Candidate, ...]:
    """Models to try on data of a shape, the cheapest first.

    Args:
        channels: Number of channels.
        rows: Rows to learn from, of all series together.
        periodic: Whether there is a step of time, so that the hours of the day can be told.
    """
    base = fixed(channels, rows)
    # Of several channels it is the autoregression, one of those below.
    usual = base if channels > 1 else Recipe(name="", architecture="autoregression", calibration=base.calibration)
    kinds = ("standardised",) if channels == 1 else ("standardised", GAUSSIAN)
    # Whether there is a rhythm is asked of held-out data. A trial is too short to say, as it takes weeks to learn one.
    rhythm = (PERIODIC,) if periodic else ()
    # Of one channel its score is of another kind: how rare errors are in the stream's own past.
    found = [Candidate(base, (base.score,))] if channels == 1 else []
    # That of the recipe comes first.
    whole = [ScoreOptions(kind=kind, parts=(RECONSTRUCTION, *rhythm)) for kind in kinds]
    heads = ((PREDICTION,), (LINEAR, PREDICTION), (LINEAR, PREDICTION, RECONSTRUCTION))
    by_heads = [ScoreOptions(parts=(*parts, *rhythm)) for parts in heads]
    by_rows = [ScoreOptions(kind=kind, tail=tail) for kind in kinds for tail in (1, 8)]
    family = {"autoregression": whole, "pca": whole, "streaming": by_heads}
    if rows >= SHORT_ROWS:
        # With fewer, a network that reads windows would learn them by heart.
        family |= dict.fromkeys(("gru", "lstm", "lstm_vae", "seq2seq"), by_rows)
    found += [Candidate(replace(usual, name=name, architecture=name), tuple(of)) for name, of in family.items()]
    return tuple(found)
