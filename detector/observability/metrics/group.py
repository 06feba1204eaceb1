"""Metrics of the partitions that the group has given this worker."""

from __future__ import annotations

from detector.observability.factory import MetricFactory
from detector.observability.metrics.bounds import RESTORE_SECONDS_BOUNDS


class GroupMetrics:
    """The assignment, and the restoration of what was assigned."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("Group and recovery")
        self.assigned_partitions = make.gauge("assigned_partitions", "Partitions that are live on this worker.")
        self.restoring_partitions = make.gauge(
            "restoring_partitions", "Partitions that this worker owns and has yet to restore."
        )
        self.restore_remaining_records = make.gauge(
            "restore_remaining_records",
            "Records that the partition being restored has yet to read in its present step: state, then input.",
        )
        self.rebalances = make.counter("rebalances_total", "Times that this worker's assignment changed.")
        self.restore_records = make.counter(
            "restore_records_total", "Records read again, silently, to restore state.", "stream"
        )
        self.restore_failures = make.counter(
            "restore_failures_total", "Restorations of a partition that failed and were begun anew.", "stream"
        )
        self.restore_duration = make.histogram(
            "restore_duration_seconds", "From the assignment of a partition until it was live.",
            RESTORE_SECONDS_BOUNDS, "stream",
        )  # fmt: skip

    def add_stream(self, stream: str) -> None:
        """Expose a stream at zero."""
        for counter in (self.restore_records, self.restore_failures):
            counter.labels(stream)
        self.restore_duration.initialise(stream)
