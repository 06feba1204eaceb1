"""The report of a training: what was learned, how well, and what the threshold will let through, as a page."""

from __future__ import annotations

from detector.reports.train.page import train_report
from detector.reports.train.trained import Trained

__all__ = ["Trained", "train_report"]
