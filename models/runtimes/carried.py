"""Models that carry memory along a series: one step of the recurrent cell a sample, whatever the length of a window."""

from __future__ import annotations

import numpy as np

from models.memory import Int, Memory, StateType
from models.outputs import NEXT_PREFIX, PARTS, PENALTY, PREDICTION, STATE_PREFIX, WINDOWS, Output
from models.runtimes.batches import in_fixed_batches
from models.runtimes.graph import Float32, Graph


class CarriedRuntime:
    """Runs a model whose step takes the last row of a window and the state of its series.

    A series without a past reads its first window row by row from a state of zeros: that is its warm-up. A window
    with several new rows reads those. If more are new than a window holds, some were never seen, and the memory
    begins anew as well.

    A prediction is made with the row before the one that it is compared with; it waits in the state meanwhile.

    Args:
        graph: With carried memory.
        sizes: Of the batches that it may see.

    Attributes:
        state_dtype: One float32 vector per carried tensor and, if the model predicts, one row of channels.
    """

    def __init__(self, graph: Graph, sizes: tuple[int, ...]) -> None:
        self._run = in_fixed_batches(graph.run, sizes)
        self._widths = graph.state_widths
        self._predicts = PREDICTION in graph.outputs
        self._outputs = {name: graph.outputs[name] for name in (*PARTS, PENALTY) if name in graph.outputs}
        widths = dict(self._widths)
        if self._predicts:
            widths[PREDICTION] = graph.outputs[PREDICTION][1]
        fields = [(name, "<f4", (width,)) for name, width in widths.items()]
        self.state_dtype: StateType = np.dtype(fields)

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        """Run the model.

        Args:
            windows: float32[n, window, channels].
            memory: Of the windows' series; None: each window stands for a series of its own that begins with it.
        """
        count = len(windows)
        if memory is None:
            memory = Memory(np.zeros(count, self.state_dtype), np.arange(count), np.zeros(count, np.int64))
        found = {name: np.empty((count, *shape), np.float32) for name, shape in self._outputs.items()}
        for chosen in memory.rounds():
            self._round(windows[chosen], memory, chosen, found)
        return Output.of(found)

    def _round(self, windows: Float32, memory: Memory, chosen: Int, found: dict[str, Float32]) -> None:
        length = windows.shape[1]
        slots, steps = memory.slots[chosen], memory.steps[chosen]
        anew = (steps <= 0) | (steps > length)
        states = memory.states[slots]
        states[anew] = np.zeros((), self.state_dtype)
        if self._predicts:
            states[PREDICTION][anew] = np.nan
        rows = np.where(anew, length, steps)
        for back in range(int(rows.max()) - 1, -1, -1):
            going = np.flatnonzero(rows > back)
            due = states[going]
            # The step looks at the last row alone, so that what stands before it matters only to the last step.
            seen = windows[going] if not back else np.roll(windows[going], back, axis=1)
            made = self._run(
                {WINDOWS: seen, **{STATE_PREFIX + name: np.ascontiguousarray(due[name]) for name in self._widths}}
            )
            for name in self._widths:
                due[name] = made[NEXT_PREFIX + name]
            if not back:
                for name in found:
                    found[name][chosen] = due[PREDICTION][:, None] if name == PREDICTION else made[name]
            if self._predicts:
                due[PREDICTION] = made[PREDICTION][:, 0]
            states[going] = due
        memory.states[slots] = states
