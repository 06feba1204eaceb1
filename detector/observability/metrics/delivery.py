"""Metrics of commits, and of the loop that makes them."""

from __future__ import annotations

from detector.observability.factory import MetricFactory
from detector.observability.metrics.bounds import COMMIT_RECORDS_BOUNDS, COMMIT_SECONDS_BOUNDS
from detector.observability.metrics.labels import COMMIT_OUTCOMES


class DeliveryMetrics:
    """Polls and commits, of all streams together."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("Delivery")
        self.commits = make.counter(
            "commits_total", "Commits by outcome: committed, refused (nothing is visible), unknown (all is read back).",
            "outcome",
        )  # fmt: skip
        self.commit_duration = make.histogram(
            "commit_duration_seconds", "Time that one commit took, whatever its outcome.", COMMIT_SECONDS_BOUNDS
        )
        self.commit_records = make.histogram(
            "commit_records", "Input records covered by one commit.", COMMIT_RECORDS_BOUNDS
        )
        self.last_commit_timestamp = make.gauge(
            "last_commit_timestamp_seconds",
            "Wall-clock time of the last commit that succeeded; 0 when there was none since the start.",
        )
        self.loop_timestamp = make.gauge(
            "loop_timestamp_seconds",
            "Wall-clock time at which the loop last came round to a poll that was answered; at first, of the start.",
        )
        self.poll_interval_ratio = make.gauge(
            "poll_interval_ratio", "Longest recent time between polls over the limit at which the group gives up on us."
        )
        self.polls_late = make.counter(
            "polls_late_total", "Polls that came later than half of the limit at which the group gives up on us."
        )
        self.poll_records_limit = make.gauge(
            "poll_records_limit", "Most records that the next poll asks for; follows the measured processing time."
        )
        for outcome in COMMIT_OUTCOMES:
            self.commits.labels(outcome)
