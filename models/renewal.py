"""When a memory that a long anomaly has filled is given up for a fresh one.

Gates were trained on ordinary data. Hours of values beyond it can drive a cell where training never was, and it may
take long to come back; until then a series that is well again is judged by a memory that is not. So extreme samples are
counted, and once enough of them came and a whole window is ordinary again, the memory begins anew by reading that
window, as that of a new series does. It then knows nothing of the anomaly, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import SpecError
from models.fields import integer, known_keys, number

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer]

ORDINARY = 0.999
"""Share of training samples that count as ordinary."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The rule. It looks at what the model is given and at nothing else, so that it is the same live and offline.

    Attributes:
        limit: A sample is extreme if a channel of it is this far from its centre, in scaled units.
        samples: So many extreme samples without a window free of them between make a long anomaly.

    Raises:
        SpecError: a value is out of range.
    """

    limit: float
    samples: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.limit) and self.limit > 0):
            raise SpecError(f"the limit of renewal is {self.limit}; it must be above 0")
        if not 1 <= self.samples < 2**31:
            raise SpecError(f"renewal after {self.samples} samples; it must be at least 1")

    @classmethod
    def fit(cls, rows: Float32, samples: int) -> Renewal:
        """Take the limit from float32[n, channels], training samples in scaled units."""
        farthest = np.abs(rows).max(axis=1)
        # Where nothing moves at all, anything is extreme, but not rounding.
        return cls(max(float(np.quantile(farthest, ORDINARY)), 1e-3), samples)

    def look(self, windows: Float32, new: Int) -> tuple[Int, Bool]:
        """Look at float32[n, window, channels], of which int[n] last rows are new.

        Returns:
            int64[n], how many of the new rows are extreme; and bool[n], whether the whole window is ordinary.
        """
        limit = np.float32(self.limit)
        ordinary: Bool = np.abs(windows).reshape(len(windows), -1).max(axis=1) <= limit
        extreme = np.zeros(len(windows), np.int64)
        # Most windows are ordinary, and need no closer look.
        rest = np.flatnonzero(~ordinary)
        fresh = np.arange(windows.shape[1], 0, -1) <= new[rest, None]
        extreme[rest] = np.sum(np.any(np.abs(windows[rest]) > limit, axis=2) & fresh, axis=1)
        return extreme, ordinary

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"limit": self.limit, "samples": self.samples}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Renewal:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value does not fit.
        """
        known_keys(data, {"limit", "samples"}, "renewal")
        return cls(number(data, "limit"), integer(data, "samples"))
