"""What architectures know of a model's specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

OptionValue = bool | int | float | str
"""What an option of an architecture may be."""


class Shape(Protocol):
    """All that a model is built and fitted by: `models.spec.ModelSpec`, which an architecture need not know.

    A specification is complete only by its architecture, which knows the options that there are and their defaults. So
    `models.spec` looks architectures up, and these say here what they read.
    """

    @property
    def architecture(self) -> str:
        """Name of the architecture."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the last axis of a window."""

    @property
    def window(self) -> int:
        """Samples in a window."""

    @property
    def units(self) -> int:
        """Width of the recurrent layers."""

    @property
    def latent(self) -> int:
        """Width of the code between encoder and decoder."""

    @property
    def dropout(self) -> float:
        """Share of the encoder's inputs that training drops; 0 turns it off."""

    @property
    def seed(self) -> int:
        """Seed of the initial weights, of dropout and of the order of the windows."""

    @property
    def options(self) -> Mapping[str, OptionValue]:
        """What else can be chosen of this architecture: all its options, none missing."""
