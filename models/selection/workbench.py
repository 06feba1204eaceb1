"""Training a candidate for a while, and seeing how it does on injected faults, in every way that it can be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.backend import load_tensorflow
from models.calibration import CountIncidents, calibrate
from models.companions import beside
from models.companions.rhythm import MOST_LEFT, left_by
from models.fitting.options import TrainOptions
from models.injection import Trial
from models.offline import places
from models.outputs import PREDICTION
from models.scores import ScoreOptions, ScoreRule
from models.segments import Segment, TrainingData, cut
from models.selection.attempts import Outcome
from models.selection.candidates import Candidate
from models.selection.gain import Predicted, gain
from models.selection.ran import Ran, run, score_all
from models.training.fit import fit
from models.training.held_out import score_held_out

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

TRIAL_SHARE = 0.25
"""Share of each series, its end, that faults are injected into; candidates learn from what lies before it."""
CONTEXT_ROWS, MOST_CONTEXT_ROWS = 512, 2048
CONTEXT_SECONDS = 3 * 86_400
"""Rows before it that memories are filled with: at least so many, and three days, so that rhythms begin to be known."""
CALIBRATION_WINDOWS = 4000
USUAL_QUANTILE = 0.99


class CountOfWindow(Protocol):
    """Gives what counts incidents, for windows of so many samples."""

    def __call__(self, window: int) -> CountIncidents: ...  # noqa: D102


class Workbench:
    """Data to try candidates on: early rows to learn from, late ones with injected faults.

    Args:
        data: By series, times and values.
        channels: Names.
        period_seconds: Step of the grid, or None.
        count_incidents: As the worker would, for thresholds.
        seed: Of the faults.
        threads: See `TrainOptions`.

    Attributes:
        trial: The late rows.
    """

    def __init__(
        self, data: TrainingData, channels: tuple[str, ...], period_seconds: float | None,
        count_incidents: CountOfWindow, seed: int = 0, threads: int | None = None,
    ) -> None:  # fmt: skip
        self._channels, self._period, self._count, self._threads = channels, period_seconds, count_incidents, threads
        period_ns = None if period_seconds is None else round(period_seconds * 1e9)
        self._early: dict[str, tuple[npt.NDArray[np.int64], Float64]] = {}
        late: dict[str, Sequence[Segment]] = {}
        lead = 0
        rows = 0 if period_seconds is None else int(CONTEXT_SECONDS / period_seconds)
        context = min(max(rows, CONTEXT_ROWS), MOST_CONTEXT_ROWS)
        for name, (times_ns, values) in data.items():
            first = int((1 - TRIAL_SHARE) * len(times_ns))
            begin = max(0, first - context)
            lead = max(lead, first - begin)
            self._early[name] = times_ns[:first], values[:first]
            late[name] = cut(times_ns[begin:], values[begin:], period_ns, TrainOptions().max_gap_steps)
        self.trial = Trial.of(late, seed, lead=lead)

    def __call__(self, candidate: Candidate, epochs: int, seed: int) -> tuple[Outcome, ...]:
        """See `TryOut`. A rhythm that is not there leaves what is tried anyway."""
        return tuple({one.recipe: one for one in self.each(candidate, epochs, seed)}.values())

    def each(self, candidate: Candidate, epochs: int, seed: int) -> tuple[Outcome, ...]:
        """As `__call__`, one outcome for each of the candidate's scores; those that come to the same are equal."""
        recipe = candidate.recipe
        longest = max(len(times) for times, _ in self._early.values())
        spec = recipe.spec(self._channels, longest=longest, period_seconds=self._period, seed=seed)
        options = recipe.train_options(
            epochs=epochs, threads=self._threads, horizon_sequences=0, max_calibration_windows=CALIBRATION_WINDOWS
        )
        load_tensorflow(self._threads)
        parts = {name for score in candidate.scores for name in score.wanted}
        fitted, left = fit(self._early, spec, options, parts)
        runtime = beside(fitted.runtime, parts, len(self._channels), spec.period_ns)
        stretches = [part.stretch for part in left]
        ran = run(runtime, fitted.scaler, self.trial, spec.window, options.min_coverage, candidate.most_rows)
        settled = [score.decided(lambda part: left_by(part, stretches), MOST_LEFT) for score in candidate.scores]
        gained = self._gain(ran, spec.window)
        # The first epoch also builds graphs. In turns, others are trained, of which nothing is known here.
        one_more = None if options.folds or not fitted.result.epochs else fitted.result.epochs[-1].seconds
        outcomes: dict[ScoreOptions, Outcome] = {}
        for score in dict.fromkeys(settled):
            rule = ScoreRule.fit(stretches, spec.window, score)
            held_out = score_held_out(rule, left)
            calibration = calibrate(held_out, recipe.calibration, self._count(spec.window))
            scores = score_all(rule, ran, self.trial, spec.window)
            precision = self.trial.compare(scores, calibration.threshold, calibration.open_after)
            usual = float(np.nanquantile(np.concatenate([part.scores for part in held_out]), USUAL_QUANTILE))
            ordinary = self._ordinary(scores)
            late = float((ordinary > usual).mean()) if ordinary.size else 0.0
            gain_of_it = gained if PREDICTION in score.parts else None
            outcomes[score] = Outcome(candidate.with_score(score), precision, late, gain_of_it, one_more)
        return tuple(outcomes[score] for score in settled)

    def _untouched(self) -> dict[str, list[Bool]]:
        """By copy, bool[rows] for each of its segments: ordinary rows, none in the wake of a change."""
        found: dict[str, list[Bool]] = {}
        for name, parts in self.trial.injected.items():
            found[name] = [one.judged.copy() for one in parts]
            for one, free in zip(parts, found[name], strict=True):
                for change in one.changes:
                    free[change.start : change.stop] = False
        return found

    def _ordinary(self, scores: Mapping[str, Sequence[Float64]]) -> Float64:
        free = self._untouched()
        found = [
            score[untouched & ~np.isnan(score)]
            for name in scores
            for score, untouched in zip(scores[name], free[name], strict=True)
        ]
        return np.concatenate([np.empty(0), *found])

    def _gain(self, ran: Sequence[Ran], window: int) -> float | None:
        free = self._untouched()
        names = list(self.trial.data)
        laid = [places(self.trial.data[name], window) for name in names]
        stretches = []
        for batch in ran:
            chosen = np.array(
                [
                    free[names[slot]][laid[slot].segments[number]][laid[slot].ends[number]]
                    for slot, number in zip(batch.slots.tolist(), batch.numbers.tolist(), strict=True)
                ],
                np.bool_,
            )
            stretches.append(
                Predicted(
                    batch.filled[:, -1], batch.observed[:, -1] & (batch.usable & chosen)[:, None], batch.output.parts
                )
            )
        return gain(stretches)
