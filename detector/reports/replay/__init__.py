"""The report of a replay: what it found, as a page."""

from __future__ import annotations

from detector.reports.replay.findings import Findings, Second, View
from detector.reports.replay.page import MOST_LISTED, replay_report

__all__ = ["MOST_LISTED", "Findings", "Second", "View", "replay_report"]
