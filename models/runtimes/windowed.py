"""Models that forget between windows."""

from __future__ import annotations

from models.memory import Memory
from models.outputs import WINDOWS, Output
from models.runtimes.batches import in_fixed_batches
from models.runtimes.graph import Float32, Graph


class WindowRuntime:
    """Runs a model for which a window is all there is to know.

    Args:
        graph: Without carried memory.
        sizes: Of the batches that it may see.
    """

    state_dtype = None

    def __init__(self, graph: Graph, sizes: tuple[int, ...]) -> None:
        self._run = in_fixed_batches(graph.run, sizes)

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        """Run the model on float32[n, window, channels]; ``memory`` does not matter."""
        del memory
        found = self._run({WINDOWS: windows})
        return Output.of(found)
