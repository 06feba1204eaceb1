"""Consecutive windows of one series and what a model made of them, for fitting scores to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.memory import Memory, StateType, new_states
from models.outputs import Output

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Windows of one series, in their order.

    Attributes:
        filled: float32[n, rows, channels]; the last rows of each window, without NaN, in scaled units.
        output: Of the model for these windows.
        observed: bool[n, rows, channels].
        steps: int64[n]; see `models.memory.Memory`. Whatever it says, nothing comes before the first window.
    """

    filled: Float32
    output: Output
    observed: Bool
    steps: Int64

    def memory(self, dtype: StateType | None) -> Memory | None:
        """Memory of a series that begins with the first window."""
        if dtype is None:
            return None
        steps = self.steps.copy()
        steps[:1] = 0
        return Memory(new_states(dtype, 1), np.zeros(len(steps), np.int64), steps)

    @classmethod
    def joined(cls, parts: Sequence[Stretch]) -> Stretch:
        """Stretches that follow each other."""
        penalties = [part.output.penalty for part in parts if part.output.penalty is not None]
        estimates = {
            name: np.concatenate([part.output.parts[name] for part in parts]) for name in parts[0].output.parts
        }
        return cls(
            np.concatenate([part.filled for part in parts]),
            Output(estimates, np.concatenate(penalties) if penalties else None),
            np.concatenate([part.observed for part in parts]),
            np.concatenate([part.steps for part in parts]),
        )
