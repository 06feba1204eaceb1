"""Loops that the exporter makes of GRU and SimpleRNN layers, written without loops.

tf2onnx knows Keras's LSTM and exports it as ONNX's operator of that name. It does not know how Keras 3 writes the other
cells, and leaves a ``Loop`` whose body is run step by step. A graph without loops always ends, which is why readers of
bundles refuse loops. A GRU becomes the operator of that name (https://onnx.ai/onnx/operators/onnx__GRU.html). ONNX
Runtime's RNN is slow (2,400 windows of 64 samples a second), so a SimpleRNN is unrolled instead (17,000).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class _Loop(NamedTuple):
    """A loop over a recurrent layer, by the names of its tensors.

    Attributes:
        sequence: float32[time, batch, inputs], what the layer reads.
        initial: float32[batch, units], its state at first.
        states: float32[time, batch, units], all its states.
        last: float32[batch, units], the last of them.
        steps: Number of them.
    """

    sequence: str
    initial: str
    states: str
    last: str
    steps: int


class _Made(NamedTuple):
    """What stands for a loop."""

    constants: dict[str, Array]
    nodes: list[Any]


def fuse_recurrent_loops(data: bytes, model: Any) -> bytes:
    """Replace the loops of a graph that are recurrent layers of a model.

    Which layer a loop is, its weights tell. A loop that is none of them stays, to be found by whoever checks the graph.

    Args:
        data: Of the ONNX file.
        model: Keras model that was exported to it.

    Returns:
        What the file should hold instead.
    """
    import onnx  # comes with the exporter

    exported = onnx.load_from_string(data)
    graph = exported.graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[Any] = []
    for node in graph.node:
        layer = _layer_of(node, model, constants) if node.op_type == "Loop" else None
        if layer is None:
            nodes.append(node)
            continue
        make = _gru if type(layer).__name__ == "GRU" else _unrolled
        made = make(layer, _read(node, constants), node.output[0])
        nodes += made.nodes
        constants |= made.constants
        graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in made.constants.items())
    if len(nodes) == len(graph.node):
        return data
    _replace(graph, nodes)
    onnx.checker.check_model(exported)
    return bytes(exported.SerializeToString())


def _layer_of(loop: Any, model: Any, constants: dict[str, Array]) -> Any | None:
    weights = [constants[name] for name in loop.input if name in constants]
    for layer in _layers(model):
        wanted = [np.asarray(array) for array in (layer.cell.kernel, layer.cell.recurrent_kernel)]
        if all(any(np.array_equal(array, found) for found in weights) for array in wanted):
            return layer
    return None


def _layers(model: Any) -> Iterator[Any]:
    """Layers that are exported as loops, and that are known here."""
    for layer in model.layers:
        kind = type(layer).__name__
        if (kind == "SimpleRNN" and layer.activation.__name__ == "tanh") or (kind == "GRU" and layer.cell.reset_after):
            yield layer


def _read(loop: Any, constants: dict[str, Array]) -> _Loop:
    """Find out which tensor is which.

    The loop counts, in a state that is a constant at first, and carries the cell's state, which is not. What the cell
    reads it gathers from a sequence outside. Its last output is all states.
    """
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    inside = {name for node in body.node for name in node.output} | {value.name for value in body.input}
    sequence = next(node.input[0] for node in body.node if node.op_type == "Gather" and node.input[0] not in inside)
    # The first two inputs say how often and whether to run; no output belongs to them.
    state = next(place for place, name in enumerate(loop.input) if place >= 2 and name not in constants)
    return _Loop(
        sequence=sequence,
        initial=loop.input[state],
        states=loop.output[-1],
        last=loop.output[state - 2],
        steps=int(constants[loop.input[0]]),
    )


def _gru(layer: Any, loop: _Loop, prefix: str) -> _Made:
    """One operator, whose gates have Keras's order: update, reset, candidate. Its states have an axis of directions."""
    from onnx import helper

    kernel, recurrent, bias = (np.asarray(weight, np.float32) for weight in layer.cell.get_weights())
    constants = {
        f"{prefix}/W": np.ascontiguousarray(kernel.T[None]),
        f"{prefix}/R": np.ascontiguousarray(recurrent.T[None]),
        f"{prefix}/B": bias.reshape(1, -1),
        f"{prefix}/first": np.array([0]),
        f"{prefix}/second": np.array([1]),
    }
    weights, recurrent_weights, biases, first, second = constants
    initial, states, last = (f"{prefix}/{name}" for name in ("initial", "states", "last"))
    inputs = [loop.sequence, weights, recurrent_weights, biases, "", initial]
    nodes = [
        helper.make_node("Unsqueeze", [loop.initial, first], [initial]),
        helper.make_node("GRU", inputs, [states, last], hidden_size=layer.units, linear_before_reset=1),
        helper.make_node("Squeeze", [states, second], [loop.states]),
        helper.make_node("Squeeze", [last, first], [loop.last]),
    ]
    return _Made(constants, nodes)


def _unrolled(layer: Any, loop: _Loop, prefix: str) -> _Made:
    """Three operators a step; what the inputs contribute is computed for all steps in one product."""
    from onnx import helper

    kernel, recurrent, bias = (np.asarray(weight, np.float32) for weight in layer.cell.get_weights())
    constants = {f"{prefix}/W": kernel, f"{prefix}/R": recurrent, f"{prefix}/B": bias, f"{prefix}/first": np.array([0])}
    weights, recurrent_weights, biases, first = constants
    inputs = [f"{prefix}/input/{step}" for step in range(loop.steps)]
    nodes = [
        helper.make_node("MatMul", [loop.sequence, weights], [f"{prefix}/product"]),
        helper.make_node("Add", [f"{prefix}/product", biases], [f"{prefix}/inputs"]),
        helper.make_node("Split", [f"{prefix}/inputs"], inputs, axis=0),
        helper.make_node("Unsqueeze", [loop.initial, first], [f"{prefix}/state/-1"]),
    ]
    for step, given in enumerate(inputs):
        recalled, total = f"{prefix}/recalled/{step}", f"{prefix}/total/{step}"
        nodes += [
            helper.make_node("MatMul", [f"{prefix}/state/{step - 1}", recurrent_weights], [recalled]),
            helper.make_node("Add", [given, recalled], [total]),
            helper.make_node("Tanh", [total], [f"{prefix}/state/{step}"]),
        ]
    states = [f"{prefix}/state/{step}" for step in range(loop.steps)]
    nodes += [
        helper.make_node("Concat", states, [loop.states], axis=0),
        helper.make_node("Squeeze", [states[-1], first], [loop.last]),
    ]
    return _Made(constants, nodes)


def _replace(graph: Any, nodes: list[Any]) -> None:
    """Put these nodes into a graph, but for those that nothing reads any more, and drop constants likewise."""
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(nodes):  # they are in the order in which they can be computed
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
            wanted |= {name for attribute in node.attribute for inner in attribute.g.node for name in inner.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.node[:]
    graph.node.extend(reversed(kept))
    del graph.initializer[:]
    graph.initializer.extend(tensors)
