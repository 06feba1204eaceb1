"""From a Keras model and a window to gates and states, aligned with the window's samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.backend import load_keras
from models.inspection.cells import Cell, CellKind, CellTrace, cell_kind
from models.outputs import NEXT_PREFIX, RECONSTRUCTION, STATE_PREFIX

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Direction = Literal["forward", "backward"]

WRITTEN_BACKWARDS = frozenset({"seq2seq/decoder"})
"""Layers, by architecture, whose steps go from the window's end to its beginning though Keras runs them forward."""
_BACKWARD_HALF = "/backward"


@dataclass(frozen=True, slots=True, eq=False)
class LayerTrace:
    """What a layer, or one direction of it, did at each sample of the window.

    Attributes:
        layer: Name in the model; directions of a bidirectional layer have names of their own.
        cell: Kind of its cell.
        direction: ``backward``: the layer went from the window's end to its beginning.
        gates: As in `CellTrace`, float64[samples, units], in the order of the samples; NaN at a sample that the
            layer had no step for.
        states: The same of its states.
    """

    layer: str
    cell: CellKind
    direction: Direction
    gates: Mapping[str, Float64]
    states: Mapping[str, Float64]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """A window as the model sees it.

    Attributes:
        layers: In the model's order.
        outputs: What the model makes of the window, by name: ``reconstruction`` float32[window, channels] and whatever
            else it says, scaled.
        memory: By name, float32[width]; what is carried on after the last sample.
    """

    layers: tuple[LayerTrace, ...]
    outputs: Mapping[str, Float32]
    memory: Mapping[str, Float32]


@dataclass(frozen=True, slots=True)
class _Part:
    """A recurrent layer or cell in a model: its own tensors, and where it stands in what is fetched."""

    name: str
    cell: Cell
    direction: Direction
    tensors: Sequence[Any]


class Inspector:
    """Follows a model, sample by sample.

    Args:
        model: Keras model, as loaded from a bundle.
        architecture: Its name.

    Raises:
        ModelsError: a layer cannot be inspected.
    """

    def __init__(self, model: Any, architecture: str) -> None:
        self._parts = _parts(model, architecture)
        self._probe = _probe_model(model, self._parts)
        self._widths = {
            str(tensor.name).removeprefix(STATE_PREFIX): int(tensor.shape[-1]) for tensor in model.inputs[1:]
        }

    @property
    def carries(self) -> tuple[str, ...]:
        """Names of what the model carries along a series; empty: nothing."""
        return tuple(self._widths)

    def window(self, window: Float32) -> Inspection:
        """Follow a model without memory through a window.

        Args:
            window: float32[samples, channels], scaled, without NaN.
        """
        fetched, outputs = self._run([window[None]])
        layers = []
        for part, (inputs, *initial) in zip(self._parts, fetched, strict=True):
            read = inputs[0].astype(np.float64)
            # A layer that writes backwards is one that Keras runs forward; only half of a bidirectional one is not.
            steps = read[::-1] if part.name.endswith(_BACKWARD_HALF) else read
            trace = part.cell.run(steps, [state[0].astype(np.float64) for state in initial] or None)
            layers.append(_aligned(part, trace, len(window)))
        return Inspection(tuple(layers), {name: value[0] for name, value in outputs.items()}, {})

    def carried(self, windows: Float32, states: Mapping[str, Float32] | None = None) -> Inspection:
        """Follow a model with carried memory through successive samples.

        Args:
            windows: float32[samples, window, channels], scaled, without NaN; the window that ends at each sample.
            states: By name, float32[width]: what was carried up to before the first sample; zeros without it.

        Returns:
            Traces over the samples, and the outputs at the last of them.
        """
        memory = {
            name: np.zeros((1, width), np.float32) if states is None else np.asarray(states[name], np.float32)[None]
            for name, width in self._widths.items()
        }
        found: list[list[CellTrace]] = [[] for _ in self._parts]
        outputs: Mapping[str, Float32] = {}
        # Not in one go: what a cell reads may depend on the states, which only the model itself can move on.
        for window in windows:
            fetched, outputs = self._run([window[None], *memory.values()])
            for traces, part, (inputs, *initial) in zip(found, self._parts, fetched, strict=True):
                rows = inputs.astype(np.float64).reshape(1, -1)
                traces.append(part.cell.run(rows, [state[0].astype(np.float64) for state in initial]))
            memory = {name: outputs[NEXT_PREFIX + name] for name in memory}
        traced = zip(self._parts, found, strict=True)
        return Inspection(
            tuple(_aligned(part, _joined(traces), len(windows)) for part, traces in traced),
            {name: value[0] for name, value in outputs.items() if not name.startswith(NEXT_PREFIX)},
            {name: state[0] for name, state in memory.items()},
        )

    def _run(self, inputs: Sequence[Any]) -> tuple[list[list[Float32]], dict[str, Float32]]:
        """What each part's tensors are, and the model's own outputs."""
        # As a list, also of one: Keras warns of another structure than the one that it was made with.
        found = self._probe([np.asarray(each, np.float32) for each in inputs], training=False)
        values = {name: np.asarray(value, np.float32) for name, value in found.items()}
        fetched = [
            [values.pop(f"probe_{number}_{place}") for place in range(len(part.tensors))]
            for number, part in enumerate(self._parts)
        ]
        return fetched, values


def joined(pieces: Sequence[Inspection]) -> Inspection:
    """Successive samples that were followed piece by piece, as one."""
    last = pieces[-1]

    def whole(number: int, kind: Literal["gates", "states"]) -> dict[str, Float64]:
        names = getattr(last.layers[number], kind)
        return {name: np.concatenate([getattr(piece.layers[number], kind)[name] for piece in pieces]) for name in names}

    layers = tuple(
        replace(layer, gates=whole(number, "gates"), states=whole(number, "states"))
        for number, layer in enumerate(last.layers)
    )
    return Inspection(layers, last.outputs, last.memory)


def _parts(model: Any, architecture: str) -> list[_Part]:
    parts = []
    for layer in model.layers:
        if type(layer).__name__ == "Bidirectional":
            inputs = _list(layer.input)
            parts.append(_Part(f"{layer.name}/forward", Cell(layer.forward_layer), "forward", inputs[:1]))
            parts.append(_Part(layer.name + _BACKWARD_HALF, Cell(layer.backward_layer), "backward", inputs[:1]))
        elif cell_kind(layer) is not None:
            backwards = f"{architecture}/{layer.name}" in WRITTEN_BACKWARDS
            parts.append(_Part(layer.name, Cell(layer), "backward" if backwards else "forward", _list(layer.input)))
    return parts


def _probe_model(model: Any, parts: Sequence[_Part]) -> Any:
    outputs = model.output if isinstance(model.output, Mapping) else {RECONSTRUCTION: model.output}
    wanted = {f"probe_{number}_{place}": t for number, part in enumerate(parts) for place, t in enumerate(part.tensors)}
    # An input that goes into a layer as it is has to pass through something to be an output as well.
    identity = load_keras().layers.Identity
    return load_keras().Model(model.inputs, {**{name: identity()(t) for name, t in wanted.items()}, **outputs})


def _aligned(part: _Part, trace: CellTrace, samples: int) -> LayerTrace:
    """Steps by sample: a layer that goes backward has its last step at the first sample."""

    def align(values: Float64) -> Float64:
        placed = np.full((samples, values.shape[1]), np.nan)
        placed[: len(values)] = values[::-1] if part.direction == "backward" else values
        return placed

    return LayerTrace(
        part.name,
        part.cell.kind,
        part.direction,
        {name: align(values) for name, values in trace.gates.items()},
        {name: align(values) for name, values in trace.states.items()},
    )


def _joined(traces: Sequence[CellTrace]) -> CellTrace:
    return CellTrace(
        {name: np.concatenate([trace.gates[name] for trace in traces]) for name in traces[0].gates},
        {name: np.concatenate([trace.states[name] for trace in traces]) for name in traces[0].states},
    )


def _list(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]
