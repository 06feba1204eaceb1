"""What a user asks of a retraining."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for; see the options of ``detector retrain``."""

    history_seconds: float
    margin_seconds: float | None
    alerts_per_week: float
    fine_tune: bool
    epochs: int | None
    out: Path | None
    report: Path | None
    promote: bool
    seed: int | None
    threads: int | None
    force: bool
