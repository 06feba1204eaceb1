"""The equations of Keras's recurrent cells, written out, since its layers hand out their states and never their gates.

LSTM: Hochreiter and Schmidhuber, "Long Short-Term Memory" (Neural Computation 1997), with the forget gate of Gers,
Schmidhuber and Cummins (2000). GRU: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (EMNLP
2014), in Keras's default form, in which the reset gate acts after the recurrent product, and in the original one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.errors import ModelsError

Float64 = npt.NDArray[np.float64]
CellKind = Literal["lstm", "gru", "simple_rnn"]
Activation = Callable[[Float64], Float64]

_ACTIVATIONS: Mapping[str, Activation] = {
    "tanh": np.tanh,
    # Without overflow where the argument is far below zero.
    "sigmoid": lambda x: 0.5 * (1.0 + np.tanh(0.5 * x)),
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
}
_KINDS: Mapping[str, CellKind] = {
    "LSTM": "lstm", "LSTMCell": "lstm", "GRU": "gru", "GRUCell": "gru",
    "SimpleRNN": "simple_rnn", "SimpleRNNCell": "simple_rnn",
}  # fmt: skip


def cell_kind(layer: Any) -> CellKind | None:
    """Kind of a Keras layer, or None if it is not recurrent."""
    return _KINDS.get(type(layer).__name__)


@dataclass(frozen=True, slots=True, eq=False)
class CellTrace:
    """What a cell did at each step.

    Attributes:
        gates: By name: float64[steps, units]. LSTM: ``input``, ``forget``, ``output`` (0 to 1) and ``candidate``. GRU:
            ``update``, ``reset`` (0 to 1) and ``candidate``. A simple recurrent layer has none.
        states: By name: float64[steps, units], after each step: ``hidden`` and, of an LSTM, ``cell``.
    """

    gates: Mapping[str, Float64]
    states: Mapping[str, Float64]


class Cell:
    """A recurrent cell with the weights of a Keras layer or cell.

    Args:
        layer: Keras layer or cell; see `cell_kind`.

    Raises:
        ModelsError: it uses an activation that is not known here.
    """

    def __init__(self, layer: Any) -> None:
        kind = cell_kind(layer)
        if kind is None:
            raise ModelsError(f"{layer.name} is a {type(layer).__name__}, which has no gates that are known here")
        self.kind: CellKind = kind
        self.units = int(layer.units)
        kernel, recurrent, *bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
        self._kernel, self._recurrent = kernel, recurrent
        self._bias = bias[0] if bias else np.zeros(kernel.shape[1])
        self._activation = _activation(layer, "activation")
        if kind != "simple_rnn":
            self._gate = _activation(layer, "recurrent_activation")
        self._reset_after = kind == "gru" and bool(layer.reset_after)

    @property
    def state_names(self) -> tuple[str, ...]:
        """In the order in which Keras hands states in and out."""
        return ("hidden", "cell") if self.kind == "lstm" else ("hidden",)

    def run(self, inputs: Float64, initial: Sequence[Float64] | None = None) -> CellTrace:
        """Follow the cell over a sequence.

        Args:
            inputs: float64[steps, features], in the order in which the cell reads them.
            initial: float64[units] for each of `state_names`; zeros without it.
        """
        states = [np.zeros(self.units) for _ in self.state_names] if initial is None else list(initial)
        gates: dict[str, list[Float64]] = {}
        after: dict[str, list[Float64]] = {name: [] for name in self.state_names}
        for row in inputs:
            opened, states = self._step(row, states)
            for name, value in opened.items():
                gates.setdefault(name, []).append(value)
            for name, value in zip(self.state_names, states, strict=True):
                after[name].append(value)
        return CellTrace(
            {name: np.stack(values) for name, values in gates.items()},
            {name: np.stack(values) for name, values in after.items()},
        )

    def _step(self, row: Float64, states: Sequence[Float64]) -> tuple[dict[str, Float64], list[Float64]]:
        if self.kind == "lstm":
            return self._lstm(row, *states)
        return self._gru(row, *states) if self.kind == "gru" else self._simple(row, *states)

    def _lstm(self, row: Float64, hidden: Float64, cell: Float64) -> tuple[dict[str, Float64], list[Float64]]:
        sums = np.split(row @ self._kernel + hidden @ self._recurrent + self._bias, 4)
        enter, forget, leave = self._gate(sums[0]), self._gate(sums[1]), self._gate(sums[3])
        candidate = self._activation(sums[2])
        cell = forget * cell + enter * candidate
        gates = {"input": enter, "forget": forget, "output": leave, "candidate": candidate}
        return gates, [leave * self._activation(cell), cell]

    def _gru(self, row: Float64, hidden: Float64) -> tuple[dict[str, Float64], list[Float64]]:
        if self._reset_after:
            bias, recurrent_bias = self._bias if self._bias.ndim == 2 else (self._bias, np.zeros_like(self._bias))
            given = np.split(row @ self._kernel + bias, 3)
            kept = np.split(hidden @ self._recurrent + recurrent_bias, 3)
            update, reset = self._gate(given[0] + kept[0]), self._gate(given[1] + kept[1])
            candidate = self._activation(given[2] + reset * kept[2])
        else:
            given, recurrent = np.split(row @ self._kernel + self._bias, 3), np.split(self._recurrent, 3, axis=1)
            update, reset = (self._gate(given[gate] + hidden @ recurrent[gate]) for gate in (0, 1))
            candidate = self._activation(given[2] + (reset * hidden) @ recurrent[2])
        hidden = update * hidden + (1.0 - update) * candidate
        return {"update": update, "reset": reset, "candidate": candidate}, [hidden]

    def _simple(self, row: Float64, hidden: Float64) -> tuple[dict[str, Float64], list[Float64]]:
        return {}, [self._activation(row @ self._kernel + hidden @ self._recurrent + self._bias)]


def _activation(layer: Any, name: str) -> Activation:
    found = str(getattr(layer, name).__name__)
    if found not in _ACTIVATIONS:
        raise ModelsError(f"the {name} of {layer.name} is {found}, which is not known here; it cannot be inspected")
    return _ACTIVATIONS[found]
