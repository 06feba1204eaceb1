"""Training a candidate for a while, and seeing how it does on injected faults, in every way that it can be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.backend import load_tensorflow
from models.calibration import CountIncidents, calibrate
from models.companions import beside
from models.companions.rhythm import MOST_LEFT, left_by
from models.fitting.options import TrainOptions
from models.imputation import impute
from models.injection import Precision, Trial
from models.memory import Memory, new_states
from models.offline import places, walk
from models.outputs import PREDICTION, Output
from models.recipe import Recipe
from models.runtimes import Runtime
from models.scaling import Scaler
from models.scores import ScoreOptions, ScoreRule
from models.segments import Segment, TrainingData, cut
from models.selection.candidates import Candidate
from models.selection.gain import Predicted, gain
from models.training.fit import fit
from models.training.held_out import score_held_out

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

TRIAL_SHARE = 0.25
"""Share of each series, its end, that faults are injected into; candidates learn from what lies before it."""
CONTEXT_ROWS, MOST_CONTEXT_ROWS = 512, 2048
CONTEXT_SECONDS = 3 * 86_400
"""Rows before it that memories are filled with: at least so many, and three days, so that rhythms begin to be known."""
CALIBRATION_WINDOWS = 4000
USUAL_QUANTILE = 0.99


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a recipe did.

    Attributes:
        recipe: The model and its score.
        precision: On injected faults and benign changes.
        late: Share of the ordinary rows of the trial, which are later than all else, that score above the 99% quantile
            of held-out rows: 0.01 if ordinary data stays as it was.
        gain: What a network's prediction of those rows is better by than that of the linear model beside it; see
            `models.selection.gain`. None: it makes no such predictions, or the score does not look at them.
        epoch_seconds: What one more epoch of its training takes; None: that is not known.
    """

    recipe: Recipe
    precision: Precision
    late: float
    gain: float | None = None
    epoch_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of training a candidate.

    Attributes:
        candidate: Its name.
        epochs: At most so many.
        seed: Of weights and sampling.
        seconds: How long it took, injected faults included.
        outcomes: One for each way to judge by it.
    """

    candidate: str
    epochs: int
    seed: int
    seconds: float
    outcomes: tuple[Outcome, ...]

    def would_take(self, epochs: int) -> float:
        """Seconds that the same would take with other epochs: most of a short training is not training."""
        if (one := self.outcomes[0].epoch_seconds) is None:
            return self.seconds / self.epochs * epochs
        return self.seconds + one * (epochs - self.epochs)


class TryOut(Protocol):
    """Trains a candidate and judges by it."""

    def __call__(self, candidate: Candidate, epochs: int, seed: int) -> tuple[Outcome, ...]:
        """Do so; the same arguments give the same outcomes.

        Raises:
            ModelsError: it cannot be trained on this data.
        """


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
        ran = _run(runtime, fitted.scaler, self.trial, spec.window, options.min_coverage, candidate.most_rows)
        settled = [score.decided(lambda part: left_by(part, stretches), MOST_LEFT) for score in candidate.scores]
        gained = self._gain(ran, spec.window)
        # The first epoch also builds graphs. In turns, others are trained, of which nothing is known here.
        one_more = None if options.folds or not fitted.result.epochs else fitted.result.epochs[-1].seconds
        outcomes: dict[ScoreOptions, Outcome] = {}
        for score in dict.fromkeys(settled):
            rule = ScoreRule.fit(stretches, spec.window, score)
            held_out = score_held_out(rule, left)
            calibration = calibrate(held_out, recipe.calibration, self._count(spec.window))
            scores = _score(rule, ran, self.trial, spec.window)
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

    def _gain(self, ran: Sequence[_Ran], window: int) -> float | None:
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


@dataclass(frozen=True, slots=True, eq=False)
class _Ran:
    """Windows of a trial and what a model made of them: enough to score them in any way."""

    filled: Float32
    output: Output
    observed: Bool
    usable: Bool
    slots: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    times_ns: npt.NDArray[np.int64]


def _run(
    runtime: Runtime, scaler: Scaler, trial: Trial, window: int, min_coverage: float, kept_rows: int
) -> list[_Ran]:
    states = None if runtime.state_dtype is None else new_states(runtime.state_dtype, len(trial.data))
    rows = np.array([scaler.row(trial.series[name]) for name in trial.data])
    found = []
    for batch in walk(list(trial.data.values()), window, min_coverage):
        filled, observed = impute(scaler.apply(batch.values, rows[batch.slots]))
        output = runtime(filled, batch.memory(states))
        parts = {name: tensor[:, -kept_rows:].copy() for name, tensor in output.parts.items()}
        found.append(
            _Ran(
                filled[:, -kept_rows:].copy(), Output(parts, output.penalty), observed[:, -kept_rows:].copy(),
                batch.usable, batch.slots, batch.steps, batch.numbers, batch.times_ns,
            )
        )  # fmt: skip
    return found


def _score(rule: ScoreRule, ran: Sequence[_Ran], trial: Trial, window: int) -> dict[str, list[Float64]]:
    """By copy of a series, float64[rows] for each of its segments: as `models.offline.score_series` has it."""
    names = list(trial.data)
    laid = [places(trial.data[name], window) for name in names]
    scores = {name: [np.full(len(segment.values), np.nan) for segment in trial.data[name]] for name in names}
    states = None if rule.state_dtype is None else new_states(rule.state_dtype, len(names))
    for batch in ran:
        memory = None if states is None else Memory(states, batch.slots, batch.steps, batch.times_ns)
        score, _ = rule.score(batch.filled, batch.output, batch.observed & batch.usable[:, None, None], memory)
        score = np.where(batch.usable, score, np.nan)
        for slot in np.unique(batch.slots):
            mine = np.flatnonzero(batch.slots == slot)
            places_of = laid[slot]
            for row, number in zip(mine.tolist(), batch.numbers[mine].tolist(), strict=True):
                scores[names[slot]][places_of.segments[number]][places_of.ends[number]] = score[row]
    return scores
