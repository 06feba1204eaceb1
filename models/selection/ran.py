"""A model run over a trial once, so that what came of it can be scored in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.imputation import impute
from models.injection import Trial
from models.memory import Memory, new_states
from models.offline import places, walk
from models.outputs import Output
from models.runtimes import Runtime
from models.scaling import Scaler
from models.scores import ScoreRule

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """Windows of a trial and what a model made of them: enough to score them in any way."""

    filled: Float32
    output: Output
    observed: Bool
    usable: Bool
    slots: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    times_ns: npt.NDArray[np.int64]


def run(runtime: Runtime, scaler: Scaler, trial: Trial, window: int, min_coverage: float, kept_rows: int) -> list[Ran]:
    """Run a model over the late rows with their faults, each copy of a series from its beginning.

    Args:
        runtime: The model, with companions beside it.
        scaler: Of its inputs.
        trial: The rows.
        window: Samples in a window.
        min_coverage: Share of a window that has to be observed for a score.
        kept_rows: So many of each window's last rows are kept: what scores look at.
    """
    states = None if runtime.state_dtype is None else new_states(runtime.state_dtype, len(trial.data))
    rows = np.array([scaler.row(trial.series[name]) for name in trial.data])
    found = []
    for batch in walk(list(trial.data.values()), window, min_coverage):
        filled, observed = impute(scaler.apply(batch.values, rows[batch.slots]))
        output = runtime(filled, batch.memory(states))
        parts = {name: tensor[:, -kept_rows:].copy() for name, tensor in output.parts.items()}
        found.append(
            Ran(
                filled[:, -kept_rows:].copy(), Output(parts, output.penalty), observed[:, -kept_rows:].copy(),
                batch.usable, batch.slots, batch.steps, batch.numbers, batch.times_ns,
            )
        )  # fmt: skip
    return found


def score_all(rule: ScoreRule, ran: Sequence[Ran], trial: Trial, window: int) -> dict[str, list[Float64]]:
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
