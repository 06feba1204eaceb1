"""What the report of a training is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.habits import Habits
from models.training.held_out_view import HeldOutView


@dataclass(frozen=True, slots=True)
class Trained:
    """What the report tells of.

    Attributes:
        document: Of `detector.cli.train.report.as_document`.
        held_out: What the model left of the held-out data.
        habits: Of the training data.
        version: Short name of the bundle.
    """

    document: Mapping[str, Any]
    held_out: HeldOutView
    habits: Habits
    version: str
