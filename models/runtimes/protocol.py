"""What all runtimes have in common."""

from __future__ import annotations

from typing import Protocol

from models.memory import Memory, StateType
from models.outputs import Output
from models.runtimes.graph import Float32


class Runtime(Protocol):
    """Runs a model, with or without memory; the rest of the program does not know which.

    A window's output has the same bits whatever else is in the batch, and however windows were put together.
    """

    @property
    def state_dtype(self) -> StateType | None:
        """What it carries along each series; None: nothing."""

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        """Run the model on float32[n, window, channels], n >= 0, and move the memory of their series on."""
