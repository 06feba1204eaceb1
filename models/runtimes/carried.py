"""Models that carry memory along a series: one step of the recurrent cell a sample, whatever the length of a window."""

from __future__ import annotations

import numpy as np

from models.memory import Int, Memory, States, StateType
from models.outputs import NEXT_PREFIX, PARTS, PENALTY, PREDICTION, STATE_PREFIX, WINDOWS, Output
from models.renewal import Renewal
from models.runtimes.batches import in_fixed_batches
from models.runtimes.graph import Float32, Graph

EXTREME = "extreme"


class CarriedRuntime:
    """Runs a model whose step takes the last row of a window and the state of its series.

    A series without a past reads its first window row by row from a state of zeros: that is its warm-up. A window
    with several new rows reads those. If more are new than a window holds, some were never seen, and the memory
    begins anew as well; so it does after a long anomaly, where there is a rule for that.

    A prediction is made with the row before the one that it is compared with; it waits in the state meanwhile.

    Args:
        graph: With carried memory.
        sizes: Of the batches that it may see.
        renewal: When memory is given up; None: never.

    Attributes:
        state_dtype: One float32 vector per carried tensor; if the model predicts, one row of channels; and the number
            of extreme samples, if memory is ever given up.
    """

    def __init__(self, graph: Graph, sizes: tuple[int, ...], renewal: Renewal | None = None) -> None:
        self._run = in_fixed_batches(graph.run, sizes)
        self._widths = graph.state_widths
        self._predicts = PREDICTION in graph.outputs
        self._outputs = {name: graph.outputs[name] for name in (*PARTS, PENALTY) if name in graph.outputs}
        self._renewal = renewal
        widths = dict(self._widths)
        if self._predicts:
            widths[PREDICTION] = graph.outputs[PREDICTION][1]
        fields: list[tuple[str, str, tuple[int, ...]]] = [(name, "<f4", (width,)) for name, width in widths.items()]
        if renewal is not None:
            fields.append((EXTREME, "<i4", ()))
        self.state_dtype: StateType = np.dtype(fields)
        self._nothing = np.zeros((), self.state_dtype)
        if self._predicts:
            self._nothing[PREDICTION] = np.nan

    def __call__(self, windows: Float32, memory: Memory | None = None) -> Output:
        """Run the model.

        Args:
            windows: float32[n, window, channels].
            memory: Of the windows' series; None: each window stands for a series of its own that begins with it.
        """
        count, length = windows.shape[:2]
        if memory is None:
            memory = Memory(np.zeros(count, self.state_dtype), np.arange(count), np.zeros(count, np.int64))
        found: dict[str, Float32] = {}
        anew = (memory.steps <= 0) | (memory.steps > length)
        if self._renewal is not None:
            extreme, ordinary = self._renewal.look(windows, np.where(anew, length, memory.steps))
        for chosen in memory.rounds():
            slots = memory.slots[chosen]
            states = memory.states[slots]
            begins = anew[chosen]
            if self._renewal is not None:
                begins = begins | (ordinary[chosen] & (states[EXTREME] >= self._renewal.samples))
            if begins.any():
                states[begins] = self._nothing
            if self._renewal is not None:
                states[EXTREME] = np.where(ordinary[chosen], 0, states[EXTREME] + extreme[chosen])
            rows = np.where(begins, length, memory.steps[chosen])
            whole = len(chosen) == count
            made = self._advance(windows if whole else windows[chosen], states, rows)
            memory.states[slots] = states
            if whole:
                return Output.of(made)
            for name, tensor in made.items():
                if name not in found:
                    found[name] = np.empty((count, *tensor.shape[1:]), np.float32)
                found[name][chosen] = tensor
        return Output.of(found or self._empty())

    def _empty(self) -> dict[str, Float32]:
        return {name: np.empty((0, *shape), np.float32) for name, shape in self._outputs.items()}

    def _advance(self, windows: Float32, states: States, rows: Int) -> dict[str, Float32]:
        """Read the last ``rows`` of each window, all of different series; gives what the last step estimates."""
        for back in range(int(rows.max()) - 1, 0, -1):
            going = np.flatnonzero(rows > back)
            due = states[going]
            # The memory reads the last row alone. A prediction that is made on the way looks at rows before it as well,
            # but only the last one is ever compared, and what rolled over to the front is one row then: the one that
            # no prediction looks at, since `LinearShape` leaves it out.
            made = self._step(np.roll(windows[going], back, axis=1), due)
            self._keep(made, due)
            states[going] = due
        made = self._step(windows, states)
        found = {
            name: states[PREDICTION][:, None].copy() if name == PREDICTION else made[name] for name in self._outputs
        }
        self._keep(made, states)
        return found

    def _step(self, windows: Float32, states: States) -> dict[str, Float32]:
        return self._run(
            {WINDOWS: windows, **{STATE_PREFIX + name: np.ascontiguousarray(states[name]) for name in self._widths}}
        )

    def _keep(self, made: dict[str, Float32], states: States) -> None:
        for name in self._widths:
            states[name] = made[NEXT_PREFIX + name]
        if self._predicts:
            states[PREDICTION] = made[PREDICTION][:, 0]
