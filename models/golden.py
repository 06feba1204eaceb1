"""The golden sample: windows on which every runtime must agree with Keras, in all that the model gives.

Its first half are windows of real data, its second half is noise up to the limits, where faults will take the model. A
model with memory takes each half for a series: it steps along the windows from a memory of nothing, so that an error in
the state would show, and grow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.memory import Memory, new_states
from models.outputs import PARTS, PENALTY
from models.runtimes import Runtime

Float32 = npt.NDArray[np.float32]

GOLDEN_WINDOWS = 16
CARRIED_GOLDEN_WINDOWS = 64
_SERIES = 2
TOLERANCE = 1e-4
"""Greatest difference to Keras in scaled units, whose range is about 20; sums in another order differ by less."""


def golden_outputs(runtime: Runtime, windows: Float32) -> dict[str, Float32]:
    """What a runtime makes of a golden sample.

    Args:
        runtime: To ask.
        windows: float32[n, window, channels], n even.

    Returns:
        Parts and penalty by name, float32[n, ...].
    """
    count = len(windows)
    memory = None
    if runtime.state_dtype is not None:
        slots = np.repeat(np.arange(_SERIES), count // _SERIES)
        steps = np.ones(count, np.int64)
        steps[:: count // _SERIES] = 0
        memory = Memory(new_states(runtime.state_dtype, _SERIES), slots, steps)
    output = runtime(windows, memory)
    found = {name: output.parts[name] for name in PARTS if name in output.parts}
    return found if output.penalty is None else found | {PENALTY: output.penalty}


def joined(outputs: Mapping[str, Float32]) -> Float32:
    """All outputs side by side, float32[n, width], in their fixed order."""
    names = [name for name in (*PARTS, PENALTY) if name in outputs]
    return np.concatenate([outputs[name].reshape(len(outputs[name]), -1) for name in names], axis=1)


def golden_width(shapes: Mapping[str, Sequence[int]]) -> int:
    """Width of `joined` outputs, by their shapes without the batch axis."""
    return sum(math.prod(shape) for shape in shapes.values())
