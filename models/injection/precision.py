"""How well scores tell injected faults from ordinary rows and from benign changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.injection.injecting import WAKE_ROWS, Injected
from models.injection.kinds import KINDS
from models.injection.place import Bool, Float64

ORDINARY_QUANTILE = 0.99
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Precision:
    """How well scores do.

    Attributes:
        overall: Mean of ``by_kind``, so that long faults weigh no more than short ones; NaN if no fault was injected.
        by_kind: For each kind of fault, the average precision of its rows among ordinary rows and benign changes: 1 if
            they have the highest scores of all.
        benign: For each kind of benign change, the share of its rows that score above the 99% quantile of ordinary
            rows: 0.01 if the change does not matter.
        found: For each kind of fault, how many exceed the threshold, and of how many; empty without a threshold.
    """

    overall: float
    by_kind: Mapping[str, float]
    benign: Mapping[str, float]
    found: Mapping[str, tuple[int, int]]

    @property
    def lifted(self) -> float:
        """Mean of ``benign``; 0 where none was injected."""
        return float(np.mean(list(self.benign.values()))) if self.benign else 0.0

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "overall": self.overall,
            "by_kind": dict(self.by_kind),
            "benign": dict(self.benign),
            "found": {kind: list(counts) for kind, counts in self.found.items()},
        }


def average_precision(scores: Float64, labels: Bool) -> float:
    """Mean over the positives of the precision at their score; rows of equal score count together.

    Zhu, "Recall, Precision and Average Precision" (University of Waterloo, 2004); as scikit-learn has it.

    Args:
        scores: float64[n], without NaN.
        labels: bool[n].

    Returns:
        0 to 1; NaN where nothing is positive.
    """
    if not labels.any():
        return NAN
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), labels.size - 1)
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / hits[-1])


def precision(
    scores: Sequence[Float64], injected: Sequence[Injected], threshold: float | None = None, open_after: int = 1
) -> Precision:
    """Compare scores with what was injected.

    Args:
        scores: float64[rows] for each stretch; NaN where unknown, which counts as lowest.
        injected: The stretches.
        threshold: Scores above it are anomalous; None: nothing is counted as found.
        open_after: Rows in a row above it that make an incident.
    """
    ranks: list[Float64] = []
    groups: list[list[str]] = []
    found: dict[str, tuple[int, int]] = {}
    for given, stretch in zip(scores, injected, strict=True):
        known = np.where(np.isnan(given), -np.inf, given)
        of_row = np.full(known.size, "", dtype=object)
        for change in stretch.changes:
            of_row[change.start : change.stop] = change.kind
            if threshold is not None and KINDS[change.kind].is_fault:
                hits, total = found.get(change.kind, (0, 0))
                hit = _opens(known[change.start : change.stop + WAKE_ROWS] > threshold, open_after)
                found[change.kind] = hits + hit, total + 1
        ranks.append(known[stretch.judged])
        groups.append(of_row[stretch.judged].tolist())
    score = np.concatenate([np.empty(0), *ranks])
    group = np.array([name for part in groups for name in part], dtype=object)
    met = [name for name in KINDS if (group == name).any()]
    kinds = [name for name in met if KINDS[name].is_fault]
    ordinary = group == ""
    innocent = ordinary | np.isin(group, [name for name in met if not KINDS[name].is_fault])
    by_kind = {
        name: average_precision(score[innocent | (group == name)], (group == name)[innocent | (group == name)])
        for name in kinds
    }
    usual = score[ordinary & np.isfinite(score)]
    level = float(np.quantile(usual, ORDINARY_QUANTILE)) if usual.size else np.inf
    benign = {name: float((score[group == name] > level).mean()) for name in met if not KINDS[name].is_fault}
    overall = float(np.mean(list(by_kind.values()))) if by_kind else NAN
    return Precision(overall, by_kind, benign, found)


def _opens(above: Bool, open_after: int) -> bool:
    run = 0
    for one in above.tolist():
        run = run + 1 if one else 0
        if run >= open_after:
            return True
    return False
