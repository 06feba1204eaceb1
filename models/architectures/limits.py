"""Limits of architectures that look at a window as one vector."""

from __future__ import annotations

from typing import Final

from models.errors import SpecError
from models.shape import Shape

MAX_DENSE_UNITS: Final = 16_384
"""Width of a ``Dense`` layer: a window of 16 samples of as many channels as a model may have."""


def check_values(spec: Shape, most: int = MAX_DENSE_UNITS) -> None:
    """Check that a window is not too large to be one vector.

    Args:
        spec: With the window and its channels.
        most: Values that it may have.

    Raises:
        SpecError: it has more.
    """
    values = spec.window * len(spec.channels)
    if values > most:
        raise SpecError(
            f"{spec.architecture} takes at most {most:,} values in a window, and {spec.window} samples of"
            f" {len(spec.channels)} channels are {values:,}; choose a shorter window"
            f" ({max(2, most // len(spec.channels))} at most), or fewer channels"
        )
