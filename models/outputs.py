"""What a model makes of windows, by name, so that whoever scores need not know the architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

WINDOWS: Final = "windows"
"""Name of a model's first input, float32[n, window, channels]."""
STATE_PREFIX: Final = "state_"
"""Further inputs ``state_<name>`` float32[n, width] are memory that is carried along a series."""
NEXT_PREFIX: Final = "next_"
"""Outputs ``next_<name>`` are that memory after the window's last sample. It is not the input's own name, which
confuses the exporter to ONNX."""
RECONSTRUCTION: Final = "reconstruction"
PREDICTION: Final = "prediction"
LINEAR: Final = "linear"
PENALTY: Final = "penalty"
PARTS: Final = (RECONSTRUCTION, PREDICTION, LINEAR)
"""Names of the estimates that a model may give, in the order in which they are handed on."""
LOCAL: Final = "local"
LEVEL: Final = "level"
DAILY: Final = "daily"
WEEKLY: Final = "weekly"
RHYTHMS: Final = (DAILY, WEEKLY)
MAYBE: Final = "?"
"""Behind the name of a rhythm: it counts only if held-out data has it."""
ESTIMATES: Final = (*PARTS, LOCAL, LEVEL, *RHYTHMS)
"""Names of all estimates that a score may compare with the window; the last need no model (`models.companions`)."""
SAMPLE_BEFORE: Final = "sample before"
"""No estimate, but what estimates are measured by: the sample before, for each."""


@dataclass(frozen=True, slots=True)
class Output:
    """Estimates of the last samples of ``n`` windows.

    Attributes:
        parts: By name, some of `ESTIMATES`: float32[n, rows, channels], in scaled units, aligned with the end of the
            window: the last row estimates the window's last sample. ``reconstruction`` is always there.
            ``prediction`` has one row, which was made before that sample came; NaN where none was made.
        penalty: float32[n] or None; a term of the score that belongs to no channel, such as the divergence of a
            variational code from its prior, in nats.
    """

    parts: Mapping[str, Float32]
    penalty: Float32 | None = None

    @classmethod
    def of(cls, tensors: Mapping[str, Float32]) -> Output:
        """What a score looks at, of a model's outputs by name."""
        return cls({name: tensors[name] for name in PARTS if name in tensors}, tensors.get(PENALTY))

    @property
    def reconstruction(self) -> Float32:
        """float32[n, rows, channels]."""
        return self.parts[RECONSTRUCTION]
