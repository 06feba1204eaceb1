"""Words and cells that several sections have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Cell
from detector.pictures.words import duration, number


def figure(value: float) -> Cell:
    """A number in a column of numbers."""
    return Cell(number(value), number=True)


def windows(spec: Mapping[str, Any]) -> str:
    """What the model looks at, of `models.spec`'s plain values."""
    if spec["period_seconds"] is None:
        return f"windows of {spec['window']} samples"
    return f"windows of {spec['window']} samples every {duration(spec['period_seconds'])}"
