"""Choosing a model without labels: by injected faults, against benign changes and the passing of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import TrainingError
from models.injection import BENIGN, FAULTS
from models.recipe import Recipe, fixed
from models.segments import TrainingData, check
from models.selection.attempts import CountOfWindow, Outcome, Workbench
from models.selection.candidates import GAUSSIAN, candidates, linear
from models.selection.halving import Search, Tell, search
from models.selection.ranking import Float64, aggregate

LEAST_FAULTS = 20
"""With fewer, chance would choose."""
LIFT = 0.05
"""The Mahalanobis distance is not chosen if benign changes lift so many more of its rows than those of the others."""
MARGIN = 0.01
"""What a candidate must be better by than the recipe for data of this shape: chance makes as much of a difference."""
DEFAULT_BUDGET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ranking.

    Attributes:
        recipe: The model and its score.
        epochs: How long it was trained.
        rank: Mean rank over kinds of anomalies, benign changes and ordinary data; lower is better.
        outcome: What it was ranked by.
        other_seed: Average precision with another seed; None: there was none.
        note: Why it was not chosen though it ranks high; empty: nothing to say.
    """

    recipe: Recipe
    epochs: int
    rank: float
    outcome: Outcome
    other_seed: float | None = None
    note: str = ""

    @property
    def overall(self) -> float:
        """Average precision: the lower one of both seeds."""
        first = self.outcome.precision.overall
        return first if self.other_seed is None else min(first, self.other_seed)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "epochs": self.epochs,
            "rank": self.rank,
            "other_seed": self.other_seed,
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
    """

    recipe: Recipe
    reason: str
    rows: tuple[Row, ...]
    passed_over: Mapping[str, str]
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "reason": self.reason,
            "ranking": [row.to_dict() for row in self.rows],
            "passed_over": dict(self.passed_over),
            "seconds": self.seconds,
        }


def select(
    data: TrainingData, channels: tuple[str, ...], period_seconds: float | None, count_incidents: CountOfWindow,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS, seed: int = 0, threads: int | None = None,
    tell: Tell | None = None, clock: Callable[[], float] = time.monotonic,
) -> Selection:  # fmt: skip
    """Choose a recipe for data that nobody has labelled.

    Args:
        data: By series, times and values; ordinary operation.
        channels: Their names.
        period_seconds: Step of the grid, or None.
        count_incidents: As the worker would, for thresholds.
        budget_seconds: For trying candidates; see `models.selection.halving.search`.
        seed: Of faults and weights.
        threads: Of TensorFlow.
        tell: Is told before each training.
        clock: Seconds that never run backwards.

    Raises:
        TrainingError: nothing could be trained on this data.
    """
    check(data, channels)
    began = clock()
    rows = sum(len(times) for times, _ in data.values())
    bench = Workbench(data, channels, period_seconds, count_incidents, seed, threads)
    if bench.trial.faults < LEAST_FAULTS:
        reason = f"{rows:,} rows have no room for {LEAST_FAULTS} injected faults: the recipe for data of this shape"
        return Selection(fixed(len(channels), rows), reason, (), {}, clock() - began)
    family = candidates(len(channels), rows, periodic=period_seconds is not None)
    found = search(family, bench, order, budget_seconds, clock, seed, tell)
    return choose(found, seed, clock() - began)


def order(outcomes: Sequence[Outcome]) -> list[int]:
    """Numbers of the outcomes, the best first."""
    if not outcomes:
        return []
    return [int(number) for number in np.argsort(_ranks(outcomes), kind="stable")]


def choose(found: Search, seed: int, seconds: float) -> Selection:
    """Rank what was tried, and choose.

    Raises:
        TrainingError: nothing was.
    """
    if not found.attempts:
        raise TrainingError("no candidate could be trained: " + "; ".join(found.passed_over.values()))
    others = {
        outcome.recipe.name: outcome.precision.overall
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
    calm = min((row.outcome.precision.lifted for row in rows if row.recipe.score.kind != GAUSSIAN), default=np.inf)
    # The first that is tried is the recipe for data of this shape, which did best on labelled data.
    first = f"{found.attempts[0].candidate}: "
    plain = [row for row in rows if row.recipe.score.kind != GAUSSIAN]
    baseline = next((row for row in plain if row.recipe.name.startswith(first)), None)
    chosen: Row | None = None
    noted = []
    for row in rows:
        note = _against(row, calm, baseline)
        if chosen is None and not note:
            chosen = row
        noted.append(_noted(row, note) if chosen is None else row)
    best = chosen or baseline or rows[0]
    return Selection(best.recipe, _reason(best, noted), tuple(noted), found.passed_over, seconds)


def _against(row: Row, calm: float, baseline: Row | None) -> str:
    """Why a recipe is not to be chosen; empty: nothing speaks against it."""
    lifted = row.outcome.precision.lifted
    if row.recipe.score.kind == GAUSSIAN and lifted > calm + LIFT:
        return f"benign changes lift {lifted:.0%} of its rows"
    if baseline is None or row is baseline:
        return ""
    if row.recipe.score.kind == GAUSSIAN and row.outcome.late > baseline.outcome.late:
        return f"time lifts it more than {baseline.recipe.name}"
    if not row.overall > baseline.outcome.precision.overall + MARGIN:
        return f"not clearly better than {baseline.recipe.name}"
    if row.other_seed is None and not linear(row.recipe):
        return "not tried with a second seed"
    return ""


def _noted(row: Row, note: str) -> Row:
    return Row(row.recipe, row.epochs, row.rank, row.outcome, row.other_seed, note)


def _reason(best: Row, rows: Sequence[Row]) -> str:
    place = next(number for number, row in enumerate(rows, 1) if row.recipe == best.recipe)
    what = f"average precision {best.outcome.precision.overall:.2f} on injected faults, mean rank {best.rank:.1f}"
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
