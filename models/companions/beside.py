"""Putting companions beside a model's runtime, so that nobody else need know of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.companions.level import Level
from models.companions.local import Local
from models.companions.rhythm import daily, weekly
from models.memory import Memory, StateType, combine
from models.outputs import DAILY, LEVEL, LOCAL, WEEKLY, Output
from models.runtimes import Runtime

Float32 = npt.NDArray[np.float32]


class Companion(Protocol):
    """An estimate of the last sample of each window."""

    @property
    def state_dtype(self) -> StateType:
        """What is carried along a series."""

    def estimate(self, windows: Float32, memory: Memory) -> Float32:
        """float32[n, 1, channels], of float32[n, window, channels]."""


MakeCompanion = Callable[[int, int | None], Companion]
"""Makes one for a number of channels and the step of the grid in nanoseconds, if there is one."""

COMPANIONS: Mapping[str, MakeCompanion] = MappingProxyType(
    {
        LOCAL: lambda channels, _: Local(channels),
        LEVEL: lambda channels, _: Level(channels),
        DAILY: daily,
        WEEKLY: weekly,
    }
)


@dataclass(frozen=True, slots=True)
class _Beside:
    """A runtime that also gives what companions estimate."""

    model: Runtime
    companions: Mapping[str, Companion]

    @property
    def state_dtype(self) -> StateType | None:
        states = {name: companion.state_dtype for name, companion in self.companions.items()}
        return combine(model=self.model.state_dtype, **states)

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        if memory is None:
            count = len(windows)
            memory = Memory(np.zeros(count, self.state_dtype), np.arange(count), np.zeros(count, np.int64))
        output = self.model(windows, None if self.model.state_dtype is None else memory.part("model"))
        found = {name: companion.estimate(windows, memory.part(name)) for name, companion in self.companions.items()}
        return Output({**output.parts, **found}, output.penalty)


def beside(runtime: Runtime, parts: Collection[str], channels: int, period_ns: int | None = None) -> Runtime:
    """The runtime, with those companions that a score looks at.

    Args:
        runtime: Of the model.
        parts: Names of all parts of the score; those that are companions count.
        channels: Number of channels.
        period_ns: Step of the grid, or None.
    """
    wanted = {name: make(channels, period_ns) for name, make in COMPANIONS.items() if name in parts}
    return _Beside(runtime, wanted) if wanted else runtime
