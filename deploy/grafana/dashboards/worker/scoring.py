"""*Worker*: scoring, its batches, and commits."""

from __future__ import annotations

from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import density, lines
from deploy.grafana.dashboards.queries import Query, instances, rate, streams
from deploy.grafana.dashboards.worker.common import NO_WORKER, quantiles


def scoring_section() -> Section:
    """Scoring, its batches, and commits."""
    return section(
        "Scoring and commits",
        line(
            8,
            lines(
                "Windows scored",
                "Windows that got a score, in a second, by stream.",
                [Query(rate(streams("windows_scored_total"), "stream"), "{{stream}}")],
                "cps",
                unknown=NO_WORKER,
                alerts=("ReconstreamNothingScored",),
            ),
            lines(
                "Time to score a batch",
                "Time that a batch of windows took to score, quantiles.",
                quantiles(streams("scoring_duration_seconds_bucket")),
                "s",
                unknown="nothing scored",
            ),
            density(
                "Windows in a batch",
                "How many windows were scored at once. Large batches are what makes a worker fast; they are small "
                "where few records come, which is fine.",
                Query(rate(streams("scoring_batch_windows_bucket"), "le"), "{{le}}"),
                "short",
                unknown="nothing scored",
            ),
        ),
        line(
            8,
            lines(
                "Time that a commit takes",
                "Time that one commit took, whatever its outcome, quantiles: the brokers' part of the work.",
                quantiles(instances("commit_duration_seconds_bucket")),
                "s",
                unknown="no commit",
            ),
            lines(
                "Since the last commit",
                "How long ago each worker last committed, by instance; one that never did since its start is not "
                "shown. It grows where nothing comes in.",
                [Query(f"time() - ({instances('last_commit_timestamp_seconds')} > 0)", "{{instance}}")],
                "s",
                unknown="no commit",
            ),
            lines(
                "Records in a commit",
                "Input records that one commit covers, quantiles. An event is visible once its commit is through.",
                quantiles(instances("commit_records_bucket")),
                "short",
                unknown="no commit",
            ),
            lines(
                "Records asked for in a poll",
                "Most records that the next poll asks for, by instance; it follows the measured time that they take.",
                [Query(instances("poll_records_limit"), "{{instance}}")],
                "short",
                unknown=NO_WORKER,
                steps=True,
            ),
        ),
    )
