"""Metrics of scores, of what they lead to, and of how long they take."""

from __future__ import annotations

import itertools

from detector.alerting.events import EVENT_NAMES, KINDS
from detector.alerting.policy import SEVERITIES
from detector.observability.factory import MetricFactory
from detector.observability.metrics.bounds import (
    BATCH_WINDOWS_BOUNDS,
    LAG_SECONDS_BOUNDS,
    RATIO_BOUNDS,
    SCORING_SECONDS_BOUNDS,
)


class ScoreMetrics:
    """Scores and incidents."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("Scores and incidents")
        self.threshold = make.gauge("score_threshold", "Threshold in force; scores above it are anomalous.", "stream")
        self.threshold_ratio = make.histogram(
            "score_threshold_ratio",
            "Score over threshold of every scored window; above 1 is anomalous.",
            RATIO_BOUNDS,
            "stream",
        )
        self.input_drift = make.gauge(
            "input_drift_psi",
            "Population stability index of the channel that is farthest from the training data for its limit, over the "
            "last drift.window_seconds of event time. The log names the channels.",
            "stream",
        )
        self.input_drift_limit = make.gauge(
            "input_drift_psi_limit",
            "Limit of that channel: beyond it, it has shifted. 1.5 times what stretches of the training data seldom "
            "exceeded against the rest of it, and 0.25 at least.",
            "stream",
        )
        self.score_drift = make.gauge(
            "score_drift_psi", "Population stability index of the scores against those of held-out data.", "stream"
        )
        self.score_drift_limit = make.gauge(
            "score_drift_psi_limit", "Limit of the scores' index, as that of the channels.", "stream"
        )
        self.events = make.counter(
            "events_total", "Events committed, by event (opened, updated, closed) and severity.",
            "stream", "event", "severity",
        )  # fmt: skip
        self.anomalies = make.counter(
            "anomalies_total",
            "Incidents opened, by kind and their severity at that moment.",
            "stream",
            "kind",
            "severity",
        )
        self.incidents_open = make.gauge(
            "incidents_open", "Incidents that are open now, by kind and present severity.",
            "stream", "kind", "severity",
        )  # fmt: skip
        self.last_incident_timestamp = make.gauge(
            "last_incident_timestamp_seconds",
            "Event time at which the latest incident opened that this worker has committed; absent until it has.",
            "stream",
        )
        self.series_threshold_ratio = make.gauge(
            "series_score_threshold_ratio",
            "Latest score over threshold of a series that streams[].metrics.series lists, while this worker has it.",
            "stream", "series",
        )  # fmt: skip
        self.series_incidents_open = make.gauge(
            "series_incidents_open",
            "Incidents, of whatever kind, that are open on a series that streams[].metrics.series lists.",
            "stream", "series",
        )  # fmt: skip
        self.scoring_duration = make.histogram(
            "scoring_duration_seconds",
            "Time that one batch of windows took to score.",
            SCORING_SECONDS_BOUNDS,
            "stream",
        )
        self.scoring_batch_windows = make.histogram(
            "scoring_batch_windows", "Windows in one batch.", BATCH_WINDOWS_BOUNDS, "stream"
        )
        self.event_time_lag = make.histogram(
            "event_time_lag_seconds", "From the event time of a sample to its score.", LAG_SECONDS_BOUNDS, "stream"
        )

    def add_stream(self, stream: str) -> None:
        """Expose a stream at zero."""
        for histogram in (self.threshold_ratio, self.scoring_duration, self.scoring_batch_windows, self.event_time_lag):
            histogram.initialise(stream)
        for kind, severity in itertools.product(KINDS, SEVERITIES):
            self.incidents_open.labels(stream, kind, severity)
            self.anomalies.labels(stream, kind, severity)
        for event, severity in itertools.product(EVENT_NAMES, SEVERITIES):
            self.events.labels(stream, event, severity)

    def remove_drift(self, stream: str) -> None:
        """Stop reporting how far a stream has come from the training of a model that is not in force any more."""
        for gauge in (self.input_drift, self.input_drift_limit, self.score_drift, self.score_drift_limit):
            gauge.remove(stream)

    def remove_series(self, stream: str, series: str) -> None:
        """Stop reporting a listed series that went away with its partition, or was forgotten. Unknown ones are fine."""
        for gauge in (self.series_threshold_ratio, self.series_incidents_open):
            gauge.remove(stream, series)
