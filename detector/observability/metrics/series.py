"""Metrics of the series that are known, and of their windows."""

from __future__ import annotations

from detector.observability.factory import MetricFactory
from detector.observability.metrics.labels import RESET_REASONS, SERIES_STATES, UNSCORED_REASONS


class SeriesMetrics:
    """What became of samples, series and windows."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("Series and windows")
        self.by_state = make.gauge(
            "series", "Series known, in memory or not, by state: warming_up, live or stale.", "stream", "state"
        )
        self.not_resident = make.gauge(
            "series_not_resident", "Series, of any state, that are in a local file rather than in memory.", "stream"
        )
        self.memory_bytes = make.gauge(
            "series_memory_bytes",
            "What series in memory take, about: their windows and what the model carries along, with room for more.",
            "stream",
        )
        self.file_bytes = make.gauge(
            "series_file_bytes", "Size of the local files of series that are not in memory.", "stream"
        )
        self.evicted = make.counter(
            "series_evicted_total", "Series moved from memory to a local file; no outcome depends on it.", "stream"
        )
        self.reloaded = make.counter(
            "series_reloaded_total", "Series moved back to memory since a record of theirs came.", "stream"
        )
        self.eviction_failures = make.counter(
            "series_eviction_failures_total",
            "Times that series stayed in memory since the local file could not be written, as on a full disk.",
            "stream",
        )
        self.in_several_partitions = make.gauge(
            "series_in_several_partitions",
            "Series that are in more than one of this worker's partitions, and so are watched as one series in each.",
            "stream",
        )
        self.forgotten = make.counter(
            "series_forgotten_total", "Series forgotten because their event time fell too far behind.", "stream"
        )
        self.samples_filled = make.counter(
            "samples_filled_total", "Missing samples bridged within short gaps; filled ones are never scored.", "stream"
        )
        self.samples_incomplete = make.counter(
            "samples_incomplete_total",
            "Samples assembled from single channels that went on with some missing.",
            "stream",
        )
        self.windows_reset = make.counter("windows_reset_total", "Windows started anew, by reason.", "stream", "reason")
        self.windows_scored = make.counter("windows_scored_total", "Windows that got a score.", "stream")
        self.windows_unscored = make.counter(
            "windows_unscored_total",
            "Windows without a score: too little of them was observed, or the score is unknown. Never counted as zero.",
            "stream",
            "reason",
        )

    def add_stream(self, stream: str) -> None:
        """Expose a stream at zero."""
        for counter in (
            self.forgotten, self.samples_filled, self.samples_incomplete, self.windows_scored,
            self.evicted, self.reloaded, self.eviction_failures,
        ):  # fmt: skip
            counter.labels(stream)
        for gauge in (self.not_resident, self.memory_bytes, self.file_bytes, self.in_several_partitions):
            gauge.labels(stream)
        for state in SERIES_STATES:
            self.by_state.labels(stream, state)
        for reason in RESET_REASONS:
            self.windows_reset.labels(stream, reason)
        for reason in UNSCORED_REASONS:
            self.windows_unscored.labels(stream, reason)
