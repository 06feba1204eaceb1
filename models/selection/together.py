"""One choice for several series that have a model each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.injection import Precision
from models.recipe import Recipe
from models.selection.attempts import Outcome
from models.selection.candidates import Candidate
from models.selection.workbench import Workbench


class Together:
    """Tries a candidate on every series by itself, as it will be trained, and tells how it does on the whole.

    Args:
        benches: One for each series.
    """

    def __init__(self, benches: Sequence[Workbench]) -> None:
        self._benches = tuple(benches)

    @property
    def faults(self) -> int:
        """How many faults were injected, into all of them."""
        return sum(bench.trial.faults for bench in self._benches)

    def __call__(self, candidate: Candidate, epochs: int, seed: int) -> tuple[Outcome, ...]:
        """See `TryOut`. A rhythm stays an open question, which every series answers for itself."""
        by_bench = [bench.each(candidate, epochs, seed) for bench in self._benches]
        found: dict[tuple[str, ...], Outcome] = {}
        for score, outcomes in zip(candidate.scores, zip(*by_bench, strict=True), strict=True):
            # Where no series has a rhythm, to ask for it or not is the same.
            same = tuple(one.recipe.name for one in outcomes)
            if same not in found:
                found[same] = _mean(candidate.with_score(score), outcomes)
        return tuple(found.values())


def _mean(recipe: Recipe, outcomes: Sequence[Outcome]) -> Outcome:
    by_kind = _means([one.precision.by_kind for one in outcomes])
    benign = _means([one.precision.benign for one in outcomes])
    counts: dict[str, tuple[int, int]] = {}
    for one in outcomes:
        for kind, (hits, total) in one.precision.found.items():
            before = counts.get(kind, (0, 0))
            counts[kind] = before[0] + hits, before[1] + total
    overall = float(np.mean(list(by_kind.values()))) if by_kind else float("nan")
    gains = [one.gain for one in outcomes if one.gain is not None]
    epochs = [one.epoch_seconds for one in outcomes if one.epoch_seconds is not None]
    return Outcome(
        recipe,
        Precision(overall, by_kind, benign, counts),
        float(np.mean([one.late for one in outcomes])),
        float(np.mean(gains)) if gains else None,
        sum(epochs) if len(epochs) == len(outcomes) else None,
    )


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each name, the mean over those that have it."""
    names = dict.fromkeys(name for one in values for name in one)
    return {name: float(np.mean([one[name] for one in values if name in one])) for name in names}
