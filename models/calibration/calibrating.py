"""An alarm threshold from the scores of held-out data, without labels.

By how many alerts a week are acceptable, counted by the very logic that opens incidents live; by how rarely an ordinary
score may exceed it; or simply by a quantile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.calibration.budget import LEAST_THRESHOLD, within_budget
from models.calibration.held_out import CountIncidents, HeldOutScores
from models.calibration.options import CalibrationOptions
from models.calibration.result import Calibration
from models.calibration.tail import Tail
from models.errors import SpecError, TrainingError
from models.thresholds.spot import Spot

Float64 = npt.NDArray[np.float64]

QUANTILES = (0.5, 0.9, 0.98, 0.99, 0.999, 1.0)
DAY_NS = 86_400_000_000_000


def calibrate(
    held_out: Sequence[HeldOutScores],
    options: CalibrationOptions | None = None,
    count_incidents: CountIncidents | None = None,
) -> Calibration:
    """Set the threshold.

    By risk, it comes from peaks over threshold (Siffer et al., KDD 2017). The estimate is kept plausible: not below the
    highest ordinary score that was seen, as long as fewer scores were seen than one in ``risk``, and not beyond a
    multiple of it.

    By budget, it is the lowest at which the held-out data would have opened no more incidents than are acceptable in
    its time. If that is less than one, the tail tells how much higher than what was seen it has to be: the tail not of
    the scores, but of the thresholds below which an incident would have opened, one of each excursion.

    Expected alerts come from the incident logic itself: it counts those at the initial quantile, where there are enough
    to count, and their number falls with the probability of exceeding, from there to the risk. If more than that open
    at the threshold, those are what to expect; and where an alert budget could be counted out, they are what it leaves
    room for.

    Args:
        held_out: Scores of the held-out stretches of all series.
        options: How careful to be.
        count_incidents: Counts incidents with the settings that will run live.

    Raises:
        SpecError: a budget is asked for and nobody counts.
        TrainingError: no held-out score is known.
    """
    options = options or CalibrationOptions()
    scores = np.concatenate([part.scores for part in held_out]) if held_out else np.empty(0)
    scores = scores[~np.isnan(scores)]
    if not scores.size:
        raise TrainingError("no held-out window could be scored; give more data, or data with fewer missing values")
    level = float(np.quantile(scores, options.initial_quantile))
    most = options.outlier_ratio * level
    ordinary = scores[scores <= most]
    tail = Tail.of(ordinary, level, options)
    days = sum(float(part.times_ns[-1] - part.times_ns[0]) / DAY_NS for part in held_out if part.times_ns.size)
    faults = 0
    if options.method == "quantile":
        method, threshold = "quantile", float(np.quantile(scores, options.quantile))
    elif options.method == "budget":
        if count_incidents is None:
            raise SpecError("an alert budget needs somebody who counts incidents")
        method, threshold, faults = within_budget(held_out, most, options, count_incidents, days)
    else:
        method, threshold = tail.method, tail.at(options.risk * ordinary.size, options.risk)
    threshold = max(threshold, LEAST_THRESHOLD)
    risk = options.risk if options.method == "risk" else tail.risk_of(threshold)
    incidents, expected = _alerts(held_out, risk, options, threshold, level, days, scores.size, faults, count_incidents)
    return Calibration(
        method=method,
        risk=risk,
        threshold=threshold,
        open_after=options.open_after,
        samples=int(scores.size),
        outliers=int(scores.size - ordinary.size),
        quantiles={str(q): float(np.quantile(scores, q)) for q in QUANTILES},
        tail_shape=None if tail.pareto is None else tail.pareto.shape,
        held_out_days=days,
        held_out_incidents=incidents,
        expected_alerts_per_day=expected,
        spot=_spot(ordinary, threshold, level, options),
        alerts_per_week=options.alerts_per_week if options.method == "budget" else None,
    )


def _spot(ordinary: Float64, threshold: float, level: float, options: CalibrationOptions) -> Spot | None:
    if options.adaptive == "none":
        return None
    return Spot.fit(ordinary, threshold, min(level, threshold), options.depth if options.adaptive == "dspot" else 0)


def _alerts(
    held_out: Sequence[HeldOutScores],
    risk: float,
    options: CalibrationOptions,
    threshold: float,
    level: float,
    days: float,
    samples: int,
    faults: int,
    count_incidents: CountIncidents | None,
) -> tuple[int | None, float | None]:
    if count_incidents is None:
        return None, None
    at_threshold, at_level = (
        sum(count_incidents(part.scores, part.times_ns, value) for part in held_out if part.times_ns.size)
        for value in (threshold, max(level, LEAST_THRESHOLD))
    )
    if days <= 0:
        return at_threshold, None
    ordinary = max(at_threshold - faults, 0)
    allowed = options.alerts_per_week * days / 7
    if options.method == "budget" and allowed >= 1:
        # The next incident lies just below the threshold, which is as low as the budget lets it be.
        return at_threshold, min(ordinary + 1, allowed) / days
    # With few samples, the risk that they can vouch for is about one in their number.
    risk = max(risk, 1 / (samples + 1))
    thinned = at_level * min(risk / (1 - options.initial_quantile), 1.0)
    return at_threshold, max(ordinary, thinned) / days
