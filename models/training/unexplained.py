"""A yardstick for losses: the share of the variance of held-out data that an estimate leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.companions.rhythm import share_left
from models.outputs import SAMPLE_BEFORE
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
    rows = np.concatenate([stretch.filled[:, -1] for stretch in stretches]).astype(np.float64)
    rows[~np.concatenate([stretch.observed[:, -1] for stretch in stretches])] = np.nan
    found = {
        part: share_left(rows, np.concatenate([stretch.output.parts[part][:, -1] for stretch in stretches]))
        for part in stretches[0].output.parts
    }
    if all(stretch.filled.shape[1] > 1 for stretch in stretches):
        found[SAMPLE_BEFORE] = share_left(rows, np.concatenate([stretch.filled[:, -2] for stretch in stretches]))
    return {part: round(share, 6) for part, share in found.items() if np.isfinite(share)}
