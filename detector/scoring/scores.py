"""What scoring hands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a batch of windows, row by row.

    Attributes:
        score: float64[n]; NaN where too little was observed. What is not known is never zero.
        contributions: float32[n, channels]; what each channel adds to the score.
        seen: float64[n, channels]; the last sample in the channels' own units, NaN where missing.
        expected: float64[n, channels]; what the score compares it with, in the same units: a prediction if the model
            makes one, else its reconstruction.
        scaled: float32[n, channels]; the last sample in scaled units, NaN where missing or not scaled yet.
    """

    score: Float64
    contributions: npt.NDArray[np.float32]
    seen: Float64
    expected: Float64
    scaled: npt.NDArray[np.float32]
