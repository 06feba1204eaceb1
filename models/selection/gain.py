"""What a network predicts better than a linear model: a comparison that needs neither labels nor injected faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.outputs import LINEAR, PREDICTION

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

FLOOR = 1e-3
"""Mean square, in scaled units, below which a channel is predicted as well as anyone could ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Samples, and what was expected of them.

    Attributes:
        sample: float32[n, channels]; in scaled units.
        counts: bool[n, channels]; which of the values are compared.
        parts: By name, float32[n, rows, channels]; see `models.outputs.Output`.
    """

    sample: Float32
    counts: Bool
    parts: Mapping[str, Float32]


def gain(stretches: Sequence[Predicted]) -> float | None:
    """Nats a value by which the network's prediction is more likely than the linear model's.

    Both errors are taken for Gaussian, with a variance for each channel that is measured on the same samples: half the
    logarithm of the ratio of their mean squares, in the mean over channels. Above 0 the network is better.

    Args:
        stretches: Samples that neither model learned from; later than those that they did, or the network's memory of
            them is measured.

    Returns:
        None where one of both is missing, or nothing can be compared.
    """
    if not stretches or not {LINEAR, PREDICTION} <= stretches[0].parts.keys():
        return None
    names = (LINEAR, PREDICTION)
    squares = np.zeros((len(names), stretches[0].sample.shape[1]))
    count = np.zeros(stretches[0].sample.shape[1])
    for one in stretches:
        errors = np.array([(one.sample - one.parts[name][:, -1]).astype(np.float64) ** 2 for name in names])
        counts = one.counts & ~np.isnan(errors).any(axis=0)
        count += counts.sum(axis=0)
        squares += np.where(counts, errors, 0.0).sum(axis=1)
    seen = count > 0
    if not seen.any():
        return None
    linear, network = np.maximum(squares[:, seen] / count[seen], FLOOR)
    return float(0.5 * np.log(linear / network).mean())
