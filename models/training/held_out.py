"""What a trained model leaves of the held-out data: the ground of scores and thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.calibration import HeldOutScores
from models.fitting.options import TrainOptions
from models.fitting.windows import SeriesWindows
from models.imputation import impute
from models.memory import new_states
from models.offline import places, walk
from models.outputs import Output
from models.runtimes import Runtime
from models.scaling import Scaler
from models.scores import ScoreRule, Stretch
from models.scores.options import MOST_TAIL

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

KEPT_ROWS = MOST_TAIL
"""A score looks at no more of a window's last rows than this."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out windows of one series, in order.

    Attributes:
        series: Its name.
        stretch: Windows and what the model made of them.
        times_ns: int64[n]; event time of each window's last row.
        seen: float64[n, channels]; each window's last row in the channels' own units, NaN where missing.
        centre: float64[channels]; what 0 stands for in scaled units.
        scale: float64[channels]; what 1 stands for beyond that.
    """

    series: str
    stretch: Stretch
    times_ns: Int64
    seen: Float64
    centre: Float64
    scale: Float64


def run_held_out(
    runtime: Runtime, scaler: Scaler, laid: Mapping[str, SeriesWindows], window: int, options: TrainOptions
) -> list[HeldOut]:
    """Run a model over the latest held-out windows of every series.

    A model with memory runs through every series from its beginning, as it would live.
    """
    names = [name for name, windows in laid.items() if len(windows.held_out)]
    limit = max(1, options.max_calibration_windows // len(names))
    segments = [laid[name].segments for name in names]
    chosen = [laid[name].held_out[-limit:] for name in names]
    numbers = [places(parts, window).numbers_of(wanted) for parts, wanted in zip(segments, chosen, strict=True)]
    begin = None if runtime.state_dtype is not None else [int(wanted[0]) for wanted in numbers]
    states = None if runtime.state_dtype is None else new_states(runtime.state_dtype, len(names))
    rows = np.array([scaler.row(name) for name in names])
    pieces: list[list[Stretch]] = [[] for _ in names]
    seen: list[list[Float64]] = [[] for _ in names]
    for batch in walk(segments, window, options.min_coverage, begin):
        filled, observed = impute(scaler.apply(batch.values, rows[batch.slots]))
        output = runtime(filled, batch.memory(states))
        for slot in np.unique(batch.slots):
            mine = np.flatnonzero((batch.slots == slot) & np.isin(batch.numbers, numbers[slot]))
            if mine.size:
                parts = {name: tensor[mine, -KEPT_ROWS:] for name, tensor in output.parts.items()}
                penalty = None if output.penalty is None else output.penalty[mine]
                pieces[slot].append(
                    Stretch(
                        filled[mine, -KEPT_ROWS:],
                        Output(parts, penalty),
                        observed[mine, -KEPT_ROWS:],
                        batch.steps[mine],
                    )
                )
                seen[slot].append(batch.values[mine, -1])
    return [
        HeldOut(
            name,
            Stretch.joined(pieces[slot]),
            np.array([segments[slot][number].times_ns[end] for number, end in chosen[slot]]),
            np.concatenate(seen[slot]),
            scaler.centre[rows[slot]],
            scaler.scale[rows[slot]],
        )
        for slot, name in enumerate(names)
    ]


def score_held_out(rule: ScoreRule, held_out: Sequence[HeldOut]) -> list[HeldOutScores]:
    """Scores as they would have been live."""
    return [
        HeldOutScores(
            rule.score(
                part.stretch.filled, part.stretch.output, part.stretch.observed, part.stretch.memory(rule.state_dtype)
            )[0],
            part.times_ns,
        )
        for part in held_out
    ]
