"""Choosing of what was tried: by injected faults, against benign changes and the passing of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import TrainingError
from models.injection import BENIGN, FAULTS
from models.recipe import Recipe
from models.selection.attempts import Outcome
from models.selection.candidates import GAUSSIAN, seedless
from models.selection.halving import Search
from models.selection.ranking import Float64, aggregate

LIFT = 0.05
"""The Mahalanobis distance is not chosen if benign changes lift so many more of its rows than those of the others."""
MARGIN = 0.01
"""What a candidate must be better by than the recipe for data of this shape: chance makes as much of a difference."""
LATER = 0.01
"""Of ordinary rows of a later time, so many more than the recipe a candidate may lift: it would soon be wrong."""
CLEAR_GAIN = 0.02
"""Nats a value by which a network must predict better than the linear model beside it; seeds differ by half of that."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ranking.

    Attributes:
        recipe: The model and its score.
        epochs: How long it was trained.
        rank: Mean rank over kinds of anomalies, benign changes and ordinary data; lower is better.
        outcome: What it was ranked by.
        other: The same with another seed; None: there was none.
        note: Why it was not chosen though it ranks high; empty: nothing to say.
    """

    recipe: Recipe
    epochs: int
    rank: float
    outcome: Outcome
    other: Outcome | None = None
    note: str = ""

    @property
    def overall(self) -> float:
        """Average precision: the lower one of both seeds."""
        return min(one.precision.overall for one in self._both)

    @property
    def gain(self) -> float | None:
        """Of its predictions over linear ones: the lower one of both seeds."""
        return min((one.gain for one in self._both if one.gain is not None), default=None)

    @property
    def _both(self) -> tuple[Outcome, ...]:
        return (self.outcome,) if self.other is None else (self.outcome, self.other)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "epochs": self.epochs,
            "rank": self.rank,
            "other_seed": None if self.other is None else self.other.precision.overall,
            "gain": self.gain,
            "late": self.outcome.late,
            "lifted": self.outcome.precision.lifted,
            "note": self.note,
            **self.outcome.precision.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and of what.

    Attributes:
        recipe: The choice.
        reason: Why, in words.
        rows: The ranking, the best first; empty where there was too little data to try anything.
        passed_over: Candidates that were not tried, or not for longer, and why.
        seconds: How long it took.
        kept: Whether it is the recipe for data of this shape.
    """

    recipe: Recipe
    reason: str
    rows: tuple[Row, ...]
    passed_over: Mapping[str, str]
    seconds: float
    kept: bool

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "reason": self.reason,
            "ranking": [row.to_dict() for row in self.rows],
            "passed_over": dict(self.passed_over),
            "seconds": self.seconds,
            "kept": self.kept,
        }


def order(outcomes: Sequence[Outcome], usual: Outcome) -> list[int]:
    """Numbers of the outcomes, the best first, those that could not be chosen last.

    Args:
        outcomes: Any.
        usual: That of the recipe for data of this shape.
    """
    if not outcomes:
        return []
    calm = _calm([*outcomes, usual])
    restless = np.array([bool(_restless(one, usual, calm)) for one in outcomes])
    return [int(number) for number in np.lexsort((_ranks(outcomes), restless))]


def choose(found: Search, seed: int, seconds: float) -> Selection:
    """Rank what was tried, and choose.

    Raises:
        TrainingError: nothing was.
    """
    if not found.attempts:
        raise TrainingError("no candidate could be trained: " + "; ".join(found.passed_over.values()))
    others = {
        outcome.recipe.name: outcome
        for attempt in found.attempts
        if attempt.seed != seed
        for outcome in attempt.outcomes
    }
    tried = [(attempt.epochs, outcome) for attempt in found.latest(seed) for outcome in attempt.outcomes]
    ranks = _ranks([outcome for _, outcome in tried])
    rows = [
        Row(outcome.recipe, epochs, float(rank), outcome, others.get(outcome.recipe.name))
        for (epochs, outcome), rank in zip(tried, ranks, strict=True)
    ]
    rows.sort(key=lambda row: row.rank)
    calm = _calm([row.outcome for row in rows])
    # The first that is tried is the recipe for data of this shape, which did best on labelled data.
    usual = found.attempts[0].outcomes[0].recipe.name
    baseline = next(row for row in rows if row.recipe.name == usual)
    chosen: Row | None = None
    noted = []
    for row in rows:
        note = _against(row, calm, baseline)
        if chosen is None and not note:
            chosen = row
        noted.append(replace(row, note=note) if chosen is None else row)
    best = chosen or baseline
    return Selection(
        best.recipe, _reason(best, noted), tuple(noted), found.passed_over, seconds, best.recipe.name == usual
    )


def _against(row: Row, calm: float, baseline: Row) -> str:
    """Why a recipe is not to be chosen; empty: nothing speaks against it.

    The recipe for data of this shape stays unless another is clearly better. Faults that were injected do not suffice:
    they like what takes every change for one, such as the Mahalanobis distance; so benign changes and the passing of
    time count in any case. A network that predicts has to know more about ordinary data than the linear model, which
    held-out data tells without any fault; then it need not be better on faults that were made up.
    """
    if row is baseline:
        return ""
    usual = baseline.recipe.name
    if note := _restless(row.outcome, baseline.outcome, calm):
        return note
    if row.gain is not None and row.gain < CLEAR_GAIN:
        return f"predicts ordinary data no better than the linear model ({row.gain:+.3f} nats)"
    if not row.overall > baseline.overall + (MARGIN if row.gain is None else 0.0):
        return f"not {'clearly ' if row.gain is None else ''}better than {usual}"
    if row.other is None and not seedless(row.recipe):
        return "not tried with a second seed"
    return ""


def _calm(outcomes: Sequence[Outcome]) -> float:
    """Share of the rows of benign changes that the calmest lifts, apart from Mahalanobis distances."""
    return min((one.precision.lifted for one in outcomes if one.recipe.score.kind != GAUSSIAN), default=np.inf)


def _restless(one: Outcome, usual: Outcome, calm: float) -> str:
    """What ordinary data says against a recipe."""
    mahalanobis = one.recipe.score.kind == GAUSSIAN
    if mahalanobis and one.precision.lifted > calm + LIFT:
        return f"benign changes lift {one.precision.lifted:.0%} of its rows"
    if one.late > usual.late + (0.0 if mahalanobis else LATER):
        return f"time lifts it more than {usual.recipe.name}"
    return ""


def _reason(best: Row, rows: Sequence[Row]) -> str:
    place = next(number for number, row in enumerate(rows, 1) if row.recipe == best.recipe)
    what = f"average precision {best.overall:.2f} on injected faults, mean rank {best.rank:.1f}"
    if best.gain is not None:
        what += f", predicts better than the linear model by {best.gain:.2f} nats a value"
    if place == 1:
        return f"first of {len(rows)}: {what}"
    return f"number {place} of {len(rows)}, the first that nothing speaks against: {what}"


def _ranks(outcomes: Sequence[Outcome]) -> Float64:
    """float64[n]; mean rank of each. Benign changes and late ordinary data count in any case, each as a kind does."""
    kinds = [kind for kind in FAULTS if any(kind in one.precision.by_kind for one in outcomes)]
    calm = [kind for kind in BENIGN if any(kind in one.precision.benign for one in outcomes)]
    values = np.array([[one.precision.by_kind.get(kind, np.nan) for one in outcomes] for kind in kinds])
    certain = np.array(
        [[-one.precision.benign.get(kind, np.nan) for one in outcomes] for kind in calm]
        + [[-one.late for one in outcomes]]
    )
    return aggregate(values.reshape(len(kinds), len(outcomes)), certain)
