"""Scores and incidents of a replay as OpenMetrics text, which Prometheus can load at the replay's own time."""

from detector.openmetrics.writer import ReplayMetrics

__all__ = ["ReplayMetrics"]
