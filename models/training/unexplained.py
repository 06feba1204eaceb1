"""A yardstick for losses: the share of the variance of held-out data that an estimate leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.companions.rhythm import left_by
from models.outputs import SAMPLE_BEFORE, Output
from models.scores import Stretch


def unexplained(stretches: Sequence[Stretch]) -> dict[str, float]:
    """By estimate; and what taking the sample before for each would leave.

    A loss is in scaled units, and what is small depends on the data. Of the variance, the mean of each channel leaves
    1, so a model that leaves about as much has learned nothing; and one that predicts has learned little if it leaves
    more than the sample before does.

    Args:
        stretches: Held-out windows.

    Returns:
        Shares in the median of the channels that move; nothing of an estimate that is never there, or where no channel
        moves.
    """
    if not stretches:
        return {}
    found = {part: left_by(part, stretches) for part in stretches[0].output.parts}
    if all(stretch.filled.shape[1] > 1 for stretch in stretches):
        before = [
            replace(stretch, output=Output({SAMPLE_BEFORE: stretch.filled[:, -2:-1]}, None)) for stretch in stretches
        ]
        found[SAMPLE_BEFORE] = left_by(SAMPLE_BEFORE, before)
    return {part: round(share, 6) for part, share in found.items() if np.isfinite(share)}
