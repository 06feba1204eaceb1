"""What a challenger came to, to be counted; nothing else depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

VERDICTS: Final = ("neither", "both", "champion_only", "challenger_only")
"""Whose threshold a window is above, where both have a score for it."""


@dataclass(slots=True)
class ShadowTally:
    """Of a run of windows.

    Attributes:
        verdicts: Number of windows by `VERDICTS`.
        unscored: Windows that the challenger, or the stream's model, gives no score.
        ratios: float64; the challenger's score / its threshold, of every window that it scores.
        opened: Incidents that it would have opened.
        failures: Why it was stopped, for people; empty mostly.
    """

    verdicts: dict[str, int] = field(default_factory=dict)
    unscored: int = 0
    ratios: list[npt.NDArray[np.float64]] = field(default_factory=list)
    opened: int = 0
    failures: list[str] = field(default_factory=list)

    def compare(self, champion: npt.NDArray[np.float64], challenger: npt.NDArray[np.float64]) -> None:
        """Count verdicts on windows.

        Args:
            champion: float64[n]; score / threshold of the stream's model; NaN where unknown.
            challenger: float64[n]; that of the challenger.
        """
        known = ~np.isnan(challenger)
        self.ratios.append(challenger[known])
        known &= ~np.isnan(champion)
        self.unscored += int((~known).sum())
        above = (champion[known] > 1).astype(np.intp) + 2 * (challenger[known] > 1)
        counts = np.bincount(above, minlength=4).tolist()
        for verdict, count in zip(("neither", "champion_only", "challenger_only", "both"), counts, strict=True):
            if count:
                self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count
