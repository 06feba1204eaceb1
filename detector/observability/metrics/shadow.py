"""Metrics of a challenger that scores in the shadow of a stream's model."""

from __future__ import annotations

from detector.observability.factory import MetricFactory
from detector.observability.metrics.bounds import RATIO_BOUNDS, SCORING_SECONDS_BOUNDS
from detector.shadow import VERDICTS


class ShadowMetrics:
    """What a stream's challenger comes to."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("A challenger in the shadow")
        self.windows = make.counter(
            "shadow_windows_total",
            "Windows that both models scored, by whose threshold they are above: neither, both, champion_only, "
            "challenger_only.",
            "stream", "verdict",
        )  # fmt: skip
        self.windows_unscored = make.counter(
            "shadow_windows_unscored_total",
            "Windows of the challenger that one of the two models gave no score.",
            "stream",
        )
        self.threshold_ratio = make.histogram(
            "shadow_score_threshold_ratio",
            "The challenger's score over its own threshold, of every window that it scored.",
            RATIO_BOUNDS,
            "stream",
        )
        self.incidents = make.counter(
            "shadow_incidents_total", "Incidents that the challenger would have opened.", "stream"
        )
        self.scoring_duration = make.histogram(
            "shadow_scoring_duration_seconds",
            "Time that one batch of windows took the challenger to score.",
            SCORING_SECONDS_BOUNDS,
            "stream",
        )
        self.memory_bytes = make.gauge(
            "shadow_memory_bytes",
            "What the challenger carries along all series that it has heard of, in memory or not, with room for more.",
            "stream",
        )
        self.failures = make.counter(
            "shadow_failures_total",
            "Times that the challenger failed on a partition, where it rests until it is replaced.",
            "stream",
        )
        self.info = make.info(
            "shadow_model",
            "The challenger of a stream; always 1, and absent where none scores.",
            ("stream",),
            ("model", "version", "runtime"),
        )

    def add_stream(self, stream: str) -> None:
        """Expose a stream that is to have a challenger at zero."""
        for verdict in VERDICTS:
            self.windows.labels(stream, verdict)
        self.memory_bytes.labels(stream)
        for counter in (self.windows_unscored, self.incidents, self.failures):
            counter.labels(stream)
        for histogram in (self.threshold_ratio, self.scoring_duration):
            histogram.initialise(stream)

    def set_model(self, stream: str, *, model: str, version: str, runtime: str) -> None:
        """Say which challenger a stream has; a later call replaces the earlier one's values."""
        self.info.labels(stream).info({"model": model, "version": version, "runtime": runtime})

    def remove_model(self, stream: str) -> None:
        """Say that a stream has no challenger at present. One that never had any is fine."""
        self.info.remove_by_labels({"stream": stream})
