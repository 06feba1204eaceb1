"""The lowest threshold that keeps to a number of alerts a week, counted by the logic that opens incidents live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.calibration.excursions import OpeningLevels, excursion_peaks, fit_endless
from models.calibration.held_out import CountIncidents, HeldOutScores
from models.calibration.options import CalibrationOptions

CANDIDATES = 64
"""Thresholds that are tried against the budget."""
LEAST_ALLOWED = 1e-3
"""No tail tells how high a score is that is to be exceeded never, or once in a thousand times the held-out data."""
LEAST_THRESHOLD = 0.01
"""Ordinary data scores about 1, unless nothing in it ever moves: its scores are rounding errors, and so would be a
threshold taken from them."""


def _opening_levels(held_out: Sequence[HeldOutScores], most: float, open_after: int) -> list[OpeningLevels]:
    """Thresholds below which an incident would open, by series; those above ``most`` are left out.

    Where nothing remains, since hardly a stretch has so many scores, the scores themselves.
    """
    for needed in (open_after, 1):
        found = [OpeningLevels.of(part.scores, part.times_ns, needed).at_most(most) for part in held_out]
        if any(part.levels.size for part in found):
            break
    return found


def within_budget(
    held_out: Sequence[HeldOutScores], most: float, options: CalibrationOptions, count: CountIncidents, days: float
) -> tuple[str, float, int]:
    """How the threshold was found, the threshold, and how many of the incidents are probable faults."""
    # A spike that is too short to open an incident, however high it is, must not lift the threshold either.
    parts = _opening_levels(held_out, most, options.open_after)
    levels = np.concatenate([part.levels for part in parts])
    level, highest = float(np.quantile(levels, options.initial_quantile)), float(levels.max())

    def incidents(threshold: float) -> int:
        tried = max(threshold, LEAST_THRESHOLD)
        return sum(count(part.scores, part.times_ns, tried) for part in held_out if part.times_ns.size)

    allowed = options.alerts_per_week * days / 7
    # Faults in the training data are no false alarms, and no threshold is to be lifted above them.
    faults = incidents(highest)
    if allowed < 1:
        peaks = excursion_peaks(parts, level, incidents(level) - faults)
        if peaks.size < options.least_peaks:
            return "highest_score", highest * options.margin, faults
        share = min(max(allowed, LEAST_ALLOWED) / peaks.size, 1.0)
        beyond = max(level + fit_endless(peaks - level).excess_at(share), highest)
        return "alert_budget", min(beyond, highest * options.most_extrapolation), faults
    chosen, excesses = highest, levels[levels > level] - level
    if not excesses.size:  # so many are equally high that none lies above the level
        return "alert_budget", chosen, faults
    candidates = np.unique(np.quantile(excesses, np.linspace(0, 1, CANDIDATES))) + level
    for candidate in candidates[::-1].tolist():
        if incidents(candidate) - faults > allowed:
            break
        chosen = candidate
    return "alert_budget", chosen, faults
