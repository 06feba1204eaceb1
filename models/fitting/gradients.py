"""Gradient norms by layer: taken in the graph at every step, summed up epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.backend import load_tensorflow

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NormSummary:
    """Norms over the steps of an epoch: median, 90% and 99% quantile, and the largest."""

    median: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, norms: Float64) -> NormSummary:
        """Sum up float64[steps]."""
        median, p90, p99 = np.quantile(norms, (0.5, 0.9, 0.99)).tolist()
        return cls(median, p90, p99, float(norms.max()))


@dataclass(frozen=True, slots=True)
class LayerNorms:
    """Gradient norms of one layer in one epoch.

    Attributes:
        layer: Name of the layer in the model.
        recurrent: Whether its weights work from step to step.
        before: As they came.
        after: After clipping.
    """

    layer: str
    recurrent: bool
    before: NormSummary
    after: NormSummary


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """Which of a model's variables belong to one layer: indices into them."""

    layer: str
    recurrent: bool
    members: tuple[int, ...]


def layer_groups(variables: Sequence[Any]) -> tuple[LayerGroup, ...]:
    """Group variables by layer, in the order in which layers come first.

    A variable's path is ``layer/variable``, with the cell of a recurrent layer in between (``encoder/lstm_cell/bias``)
    and, in ``Bidirectional``, the direction (``encoder/forward_lstm/lstm_cell/bias``), which stays apart.
    """
    members: dict[str, list[int]] = {}
    recurrent: set[str] = set()
    for index, variable in enumerate(variables):
        *owners, name = str(variable.path).split("/")
        if len(owners) > 1 and owners[-1].rstrip("_0123456789").endswith("cell"):
            owners.pop()
        layer = "/".join(owners) or name
        members.setdefault(layer, []).append(index)
        if name == "recurrent_kernel":
            recurrent.add(layer)
    return tuple(LayerGroup(layer, layer in recurrent, tuple(found)) for layer, found in members.items())


def layer_norms(groups: Sequence[LayerGroup], gradients: Sequence[Any]) -> Any:
    """Norm of each layer's gradient as a tensor float32[layers]; part of a graph."""
    tf = load_tensorflow()
    return tf.stack([tf.linalg.global_norm([gradients[index] for index in group.members]) for group in groups])


class GradientRecord:
    """Norms of the steps of one epoch.

    Args:
        groups: The layers.
    """

    def __init__(self, groups: Sequence[LayerGroup]) -> None:
        self._groups = groups
        self._before: list[Float64] = []
        self._after: list[Float64] = []
        self.clipped_steps = 0
        """Steps whose gradients were changed by clipping."""

    def add(self, before: Float64, after: Float64, clipped: bool) -> float:
        """Take note of a step.

        Args:
            before: float[layers], norms as they came.
            after: float[layers], after clipping.
            clipped: Whether they differ.

        Returns:
            The norm of all gradients together, before clipping.
        """
        self._before.append(np.asarray(before, np.float64))
        self._after.append(np.asarray(after, np.float64))
        self.clipped_steps += clipped
        return float(np.linalg.norm(self._before[-1]))

    def bad_layer(self) -> str | None:
        """The layer closest to the input whose last gradient was not finite."""
        bad = np.flatnonzero(~np.isfinite(self._before[-1]))
        return self._groups[bad[0]].layer if bad.size else None

    def summaries(self) -> tuple[NormSummary, NormSummary, tuple[LayerNorms, ...]]:
        """Of all gradients together, before and after clipping, and of each layer."""
        before, after = np.stack(self._before), np.stack(self._after)
        layers = tuple(
            LayerNorms(group.layer, group.recurrent, NormSummary.of(before[:, index]), NormSummary.of(after[:, index]))
            for index, group in enumerate(self._groups)
        )
        whole = [NormSummary.of(np.linalg.norm(norms, axis=1)) for norms in (before, after)]
        return whole[0], whole[1], layers
