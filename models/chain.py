"""From raw windows to scores: scale, model, score and threshold in one go, live and offline alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.imputation import impute
from models.memory import Int, Memory, StateType, combine
from models.outputs import Output
from models.runtimes.graph import Float32
from models.runtimes.protocol import Runtime
from models.scaling import Scaler
from models.scores import ScoreRule
from models.thresholds import Spot
from models.warm_up import WarmUp

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of a batch of windows.

    Attributes:
        score: float64[n]; NaN where it is not known.
        contributions: float64[n, channels]; they add up to the score.
        expected: float64[n, channels]; what the last sample was compared with, in the channels' own units: the
            estimate that the score's parts are told by (`ScoreRule.told_by`).
        scaled: float32[n, channels]; the last sample in scaled units, NaN where missing or not scaled yet.
    """

    score: Float64
    contributions: Float64
    expected: Float64
    scaled: Float32


class Chain:
    """All steps from a raw window to its score, and the state that they carry along a series.

    Rows do not influence each other: what a series comes to has the same bits whatever else is in its batch.

    Args:
        scaler: From the channels' units to the model's.
        runtime: The model.
        rule: The score.
        spot: A threshold that follows the series; None: it does not.
        warm_up: Samples on which a series that training never saw is measured; 0: it is scaled as all together are.

    Attributes:
        state_dtype: Of the carried state, packed; None: nothing is carried.
    """

    def __init__(
        self, scaler: Scaler, runtime: Runtime, rule: ScoreRule, spot: Spot | None = None, warm_up: int = 0
    ) -> None:
        self._scaler, self._runtime, self._rule, self._spot = scaler, runtime, rule, spot
        self._warm_up = WarmUp.of(warm_up, scaler) if warm_up else None
        self.state_dtype: StateType | None = combine(
            scale=None if self._warm_up is None else self._warm_up.state_dtype,
            model=runtime.state_dtype,
            score=rule.state_dtype,
            threshold=None if spot is None else spot.state_dtype,
        )

    def row(self, series: str) -> int:
        """Row of a series in the scaler's tables; 0 for one that training never saw."""
        return self._scaler.row(series)

    def reach(self, series: str) -> float:
        """Scored samples of a series after which nothing older has any influence; infinite when that never is so."""
        measured = self._warm_up is not None and not self.row(series)
        if self._runtime.state_dtype is not None or self._spot is not None or measured:
            return math.inf
        return self._rule.reach

    def judge(self, values: Float64, rows: Int, usable: Bool, memory: Memory | None) -> Judged:
        """Score windows, and move the memory of their series on.

        Args:
            values: float64[n, window, channels] in the channels' own units, NaN where missing.
            rows: int[n]; from `row`.
            usable: bool[n]; False: too little was observed for a score. The model's memory reads it all the same.
            memory: Of the windows' series, of the type `state_dtype`; None: each window is the first of its series,
                and a series that training never saw is scaled as all together are.
        """
        centre, scale = self._scaler.centre[rows], self._scaler.scale[rows]
        going = np.arange(len(values))
        first = np.zeros(len(values), np.bool_)
        strangers = np.flatnonzero(rows == 0)
        if self._warm_up is not None and memory is not None and strangers.size:
            measured = self._warm_up.measure(values, strangers, memory.part("scale"))
            centre[strangers], scale[strangers] = measured.centre, measured.scale
            first[strangers] = measured.first
            going = np.setdiff1d(going, strangers[~measured.ready])
        score = np.full(len(values), np.nan)
        contributions = np.zeros((len(values), values.shape[2]))
        expected = np.full_like(contributions, np.nan)
        scaled = np.full(contributions.shape, np.nan, np.float32)
        if going.size:
            # The model has seen nothing of a series until its scale is known.
            chosen = None if memory is None else _chosen(memory, going, first)
            found = self._judge(values[going], centre[going], scale[going], usable[going], chosen)
            score[going], contributions[going], expected[going], scaled[going] = found
        return Judged(score, contributions, expected, scaled)

    def _judge(
        self, values: Float64, centre: Float64, scale: Float64, usable: Bool, memory: Memory | None
    ) -> tuple[Float64, Float64, Float64, Float32]:
        scaled = self._scaler.scaled(values, centre, scale)
        filled, observed = impute(scaled)
        output = self._run(filled, memory)
        score, contributions = self._rule.score(
            filled, output, observed & usable[:, None, None], _part(memory, "score", self._rule.state_dtype)
        )
        if self._spot is not None:
            relative = self._spot.relative(score, _part(memory, "threshold", self._spot.state_dtype))
            factor = np.divide(relative, score, out=np.zeros_like(score), where=score > 0)
            score, contributions = relative, contributions * factor[:, None]
        estimate = output.parts[self._rule.told_by][:, -1]
        # A prediction is not there before the second window.
        estimate = np.where(np.isnan(estimate), output.reconstruction[:, -1], estimate)
        expected = estimate.astype(np.float64) * scale + centre
        return np.where(usable, score, np.nan), contributions, expected, scaled[:, -1]

    def _run(self, filled: Float32, memory: Memory | None) -> Output:
        return self._runtime(filled, _part(memory, "model", self._runtime.state_dtype))


def _chosen(memory: Memory, going: Int, first: Bool) -> Memory:
    times = None if memory.times_ns is None else memory.times_ns[going]
    return Memory(memory.states, memory.slots[going], np.where(first[going], 0, memory.steps[going]), times)


def _part(memory: Memory | None, name: str, dtype: StateType | None) -> Memory | None:
    return None if memory is None or dtype is None else memory.part(name)
