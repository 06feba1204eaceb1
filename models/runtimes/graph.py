"""A model as a function from named tensors to named tensors, whoever computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import BundleError
from models.outputs import LINEAR, NEXT_PREFIX, PARTS, PENALTY, PREDICTION, RECONSTRUCTION, STATE_PREFIX, WINDOWS
from models.spec import ModelSpec

Float32 = npt.NDArray[np.float32]
Tensors = Mapping[str, Float32]
Shapes = Mapping[str, tuple[int, ...]]
"""Without the batch axis."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A model that was opened.

    Attributes:
        inputs: Shapes by name; ``windows`` and, with carried memory, ``state_<name>``.
        outputs: Shapes by name.
        run: From tensors of the inputs, all of one batch size, to those of the outputs.
    """

    inputs: Shapes
    outputs: Shapes
    run: Callable[[Tensors], Tensors]

    @property
    def state_widths(self) -> dict[str, int]:
        """Width of each carried tensor by its name, without prefix."""
        return {
            name.removeprefix(STATE_PREFIX): shape[0]
            for name, shape in self.inputs.items()
            if name.startswith(STATE_PREFIX)
        }


def check_inputs(inputs: Shapes, spec: ModelSpec, source: str) -> None:
    """Check that a model takes windows as its specification says, and besides them nothing but memory.

    Args:
        inputs: Shapes by name.
        spec: What it should be.
        source: Its file, for the message.

    Raises:
        BundleError: it takes something else.
    """
    shape = (spec.window, len(spec.channels))
    memory = {name: found for name, found in inputs.items() if name.startswith(STATE_PREFIX)}
    if (
        inputs.get(WINDOWS) != shape
        or len(inputs) != 1 + len(memory)
        or not all(len(found) == 1 and isinstance(found[0], int) for found in memory.values())
    ):
        raise BundleError(
            f"{source}: the model takes {shown(inputs)}, the manifest says windows {list(shape)}; train anew"
        )


def check_outputs(graph: Graph, spec: ModelSpec, source: str) -> None:
    """Check that a model gives a reconstruction, its memory, and besides them nothing that no score knows.

    Raises:
        BundleError: it gives something else.
    """
    window, channels = spec.window, len(spec.channels)
    found, widths = graph.outputs, graph.state_widths
    reason = None
    if found.get(RECONSTRUCTION) != (window, channels):
        reason = f"the manifest says {RECONSTRUCTION} {[window, channels]}"
    elif any(found.get(NEXT_PREFIX + name) != (width,) for name, width in widths.items()):
        reason = "its memory goes in and does not come out"
    elif odd := sorted(found.keys() - {*PARTS, PENALTY, *(NEXT_PREFIX + name for name in widths)}):
        reason = f"no score knows {odd[0]}"
    elif found.get(PREDICTION, (1, channels)) != (1, channels) or (PREDICTION in found and not widths):
        reason = "a prediction has one row, and needs memory to be kept in"
    elif (linear := found.get(LINEAR, (1, channels)))[1:] != (channels,) or not 1 <= linear[0] <= window:
        reason = f"{LINEAR} has other rows than a window"
    elif found.get(PENALTY, ()) != ():
        reason = f"{PENALTY} is one number a window"
    if reason:
        raise BundleError(f"{source}: the model gives {shown(found)}; {reason}; train anew")


def shown(shapes: Shapes) -> str:
    """Names and shapes, for messages."""
    return ", ".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items()))
