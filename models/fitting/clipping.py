"""Gradient clipping, of the three kinds that Keras's optimisers offer, with what it did recorded.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013): one step over a
cliff of the loss surface can undo an epoch; a bound on the gradient's norm keeps its direction and takes away its
length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.backend import load_tensorflow
from models.errors import SpecError

NAMES = ("clipnorm", "clipvalue", "global_clipnorm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """At most one of three bounds, with the meaning that ``keras.optimizers`` gives them; 0 and ``None`` turn one off.

    Attributes:
        clipnorm: The gradient of each weight array is scaled down to this norm.
        clipvalue: Each number of a gradient is cut to ``-clipvalue..clipvalue``, which changes its direction.
        global_clipnorm: All gradients together are scaled down so that their norm is at most this.

    Raises:
        SpecError: more than one is given, or one is negative or not finite.
    """

    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name in NAMES if (value := getattr(self, name)) is not None}
        if len(given) > 1:
            raise SpecError(f"only one of {', '.join(NAMES)} can be set, not {' and '.join(given)}; leave out the rest")
        for name, value in given.items():
            if not (math.isfinite(value) and value >= 0):
                raise SpecError(f"{name} is {value}; it must be above 0, or 0 to clip nothing")

    def __str__(self) -> str:
        return next((f"{name} {value:g}" for name in NAMES if (value := getattr(self, name))), "no clipping")

    def apply(self, gradients: Sequence[Any]) -> tuple[list[Any], Any]:
        """Clip, as part of a graph.

        Args:
            gradients: Dense tensors.

        Returns:
            The clipped gradients, and a boolean scalar: whether anything was changed.
        """
        tf = load_tensorflow()
        if self.clipnorm:
            norms = [tf.norm(gradient) for gradient in gradients]
            clipped = [
                gradient * (self.clipnorm / tf.maximum(norm, self.clipnorm))
                for gradient, norm in zip(gradients, norms, strict=True)
            ]
            return clipped, tf.reduce_max(tf.stack(norms)) > self.clipnorm
        if self.clipvalue:
            largest = tf.reduce_max(tf.stack([tf.reduce_max(tf.abs(gradient)) for gradient in gradients]))
            bound = self.clipvalue
            return [tf.clip_by_value(gradient, -bound, bound) for gradient in gradients], largest > bound
        if self.global_clipnorm:
            norm = tf.linalg.global_norm(gradients)
            scale = self.global_clipnorm / tf.maximum(norm, self.global_clipnorm)
            return [gradient * scale for gradient in gradients], norm > self.global_clipnorm
        return list(gradients), tf.constant(False)
