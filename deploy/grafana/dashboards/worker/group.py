"""*Worker*: the consumer group, and how partitions are restored."""

from __future__ import annotations

from deploy.grafana.dashboards.colours import GREEN, ORANGE, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, bars, lines
from deploy.grafana.dashboards.queries import Query, counted, instances, rate, recorded, streams, total
from deploy.grafana.dashboards.worker.common import NO_RULES, NO_WORKER


def _restored(bound: str) -> str:
    return counted(streams("restore_duration_seconds_bucket", f'le="{bound}"'), over="$__interval")


def group_section() -> Section:
    """The consumer group, and how partitions are restored."""
    return section(
        "Group and recovery",
        line(
            8,
            lines(
                "Partitions",
                "live: watched now. restoring: owned, and yet to be restored. Restoring ones are not watched, which "
                "is minutes at most.",
                [
                    Query(total(instances("assigned_partitions")), "live", SKY),
                    Query(total(instances("restoring_partitions")), "restoring", ORANGE),
                ],
                "short",
                unknown=NO_WORKER,
                stacked=True,
                steps=True,
            ),
            bars(
                "Rebalances",
                "Times that the assignment of a worker changed. They come with starts and stops of workers; one after "
                "the other without either is a worker that misses the poll limit.",
                [Query(counted(instances("rebalances_total"), "instance", over="$__interval"), "{{instance}}")],
                unknown=NO_WORKER,
                alerts=("ReconstreamRebalancing",),
            ),
            lines(
                "Partitions unwatched, by job",
                "Partitions of the input topics that no worker watches.",
                [Query(recorded("job:reconstream_partitions_unwatched:sum"), "{{job}}")],
                "short",
                levels=Levels(warn=1),
                unknown=NO_RULES,
                steps=True,
                most=1,
                alerts=("ReconstreamPartitionsUnwatched",),
            ),
            lines(
                "Left to restore",
                "Records that the partition being restored has yet to read in its present step, by instance: first "
                "the state, then the input.",
                [Query(instances("restore_remaining_records"), "{{instance}}")],
                "short",
                unknown=NO_WORKER,
                most=1,
                alerts=("ReconstreamRestoreStuck",),
            ),
        ),
        line(
            8,
            bars(
                "Partitions restored, by the time it took",
                "From the assignment of a partition until it was live: how many took up to a second, up to ten, "
                "longer.",
                [
                    Query(_restored("1.0"), "up to 1 s", GREEN),
                    Query(f"{_restored('10.0')} - {_restored('1.0')}", "up to 10 s", SKY),
                    Query(f"{_restored('+Inf')} - {_restored('10.0')}", "longer", ORANGE),
                ],
                unknown=NO_WORKER,
            ),
            lines(
                "Records read again",
                "Records read again in a second, silently, to restore state.",
                [Query(rate(streams("restore_records_total"), "stream"), "{{stream}}")],
                "recps",
                unknown=NO_WORKER,
            ),
            bars(
                "Restorations that failed",
                "Restorations of a partition that failed and were begun anew, by stream. The log says why.",
                [Query(counted(streams("restore_failures_total"), "stream", over="$__interval"), "{{stream}}")],
                unknown=NO_WORKER,
                alerts=("ReconstreamRestoreStuck",),
            ),
            bars(
                "Late polls",
                "Polls that came later than half of the limit, by instance.",
                [Query(counted(instances("polls_late_total"), "instance", over="$__interval"), "{{instance}}")],
                unknown=NO_WORKER,
                alerts=("ReconstreamPollNearLimit",),
            ),
        ),
    )
