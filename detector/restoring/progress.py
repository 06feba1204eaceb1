"""How far something is that takes a while."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step of a restoration is.

    Attributes:
        done: Records read, or series restored.
        total: About: of a range of offsets some may hold no record.
    """

    done: int
    total: int
