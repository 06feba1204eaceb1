"""Bringing the rankings by single kinds of anomalies together into one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

LEFT_OUT = 0.25


def ranks(values: Float64) -> Float64:
    """float64[n]; 1 for the highest value, the mean rank for equal ones; NaN is lowest.

    Args:
        values: float64[n].
    """
    known = np.where(np.isnan(values), -np.inf, values)
    above = (known[None, :] > known[:, None]).sum(axis=1)
    equal = (known[None, :] == known[:, None]).sum(axis=1)
    found: Float64 = above + (equal + 1) / 2
    return found


def aggregate(values: Float64, certain: Float64 | None = None) -> Float64:
    """Mean rank of each candidate over those rankings that agree with the rest.

    Goswami et al. (ICLR 2023): a kind of anomaly that tells nothing about the data at hand ranks at random, and robust
    aggregation leaves it out. Here a quarter of the rankings goes, those that agree least with the mean of the others.

    Args:
        values: float64[rankings, candidates]; higher is better.
        certain: float64[more, candidates]; rankings that always count.

    Returns:
        float64[candidates]; lower is better.
    """
    found = np.array([ranks(row) for row in values]).reshape(values.shape)
    if len(found) > 2:
        total = found.sum(axis=0)
        others = (total - found) / (len(found) - 1)
        distance = np.abs(found - others).sum(axis=1)
        kept = len(found) - int(len(found) * LEFT_OUT)
        found = found[np.sort(np.argsort(distance, kind="stable")[:kept])]
    if certain is not None and len(certain):
        found = np.concatenate([found, [ranks(row) for row in certain]])
    mean: Float64 = found.mean(axis=0)
    return mean
