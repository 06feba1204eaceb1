"""*Worker*, at the top: whether all is well."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BAD, ORANGE, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, lines, number
from deploy.grafana.dashboards.queries import Query, counted, instances, rate, recorded, streams, total
from deploy.grafana.dashboards.worker.common import NO_RULES, NO_WORKER, quantiles

_LAG: Final = streams("event_time_lag_seconds_bucket")


def overview_section() -> Section:
    """Whether all is well, at a glance."""
    return section(
        None,
        line(
            4,
            number(
                "Workers that run",
                "Share of the workers that Prometheus knows of whose loop went round within the last minute.",
                Query(f"min({recorded('job:reconstream_available:ratio')})", "run"),
                "percentunit",
                levels=Levels(good=1, warn=0.5),
                unknown=NO_RULES,
                decimals=0,
                alerts=(
                    "ReconstreamLoopStalled",
                    "ReconstreamTargetDown",
                    "ReconstreamWorkerAbsent",
                    "ReconstreamRestarting",
                ),
            ),
            number(
                "Partitions unwatched",
                "Partitions of the input topics that no worker watches at present: being restored, or without an "
                "owner. For some minutes after a start that is normal.",
                Query(total(recorded("job:reconstream_partitions_unwatched:sum")), "unwatched"),
                "short",
                levels=Levels(warn=1),
                unknown=NO_RULES,
                alerts=("ReconstreamPartitionsUnwatched",),
            ),
            number(
                "Records",
                "Records taken from the input in a second, of all selected streams.",
                Query(rate(streams("records_consumed_total")), "records"),
                "recps",
                unknown=NO_WORKER,
                calm=SKY,
            ),
            number(
                "Time behind",
                "For how long the last stable offset of a partition has been beyond what is committed, of the "
                "partition for which it is longest. It does not depend on the timestamps of records.",
                Query(f"max({streams('consumer_lag_seconds')})", "behind"),
                "s",
                levels=Levels(warn=120, bad=1800),
                unknown="no partition",
                decimals=0,
                alerts=("ReconstreamLagging",),
            ),
            number(
                "Records behind",
                "Records between what is committed and the last stable offsets, of all selected streams. A number "
                "that stays is normal under load; one that grows is not.",
                Query(total(streams("consumer_lag_records")), "behind"),
                "short",
                unknown="no partition",
                calm=SKY,
            ),
            number(
                "Poll limit used",
                "Longest recent time between polls over the time after which the group gives up on a worker, of the "
                "worker that is closest to it. At 100% its partitions go to others, and what it was doing is done "
                "again.",
                Query(f"max({instances('poll_interval_ratio')})", "used"),
                "percentunit",
                levels=Levels(warn=0.5, bad=0.8),
                unknown=NO_WORKER,
                decimals=0,
                alerts=("ReconstreamPollNearLimit",),
            ),
            number(
                "Memory used",
                "Resident memory over what the process may use, of the worker that is closest to its limit.",
                Query(f"max({recorded('instance:reconstream_memory:ratio')})", "used"),
                "percentunit",
                levels=Levels(warn=0.85, bad=0.95),
                unknown=NO_RULES,
                decimals=0,
                alerts=("ReconstreamMemoryHigh",),
            ),
            number(
                "Dead letters",
                "Records of the time range that could not be read and went to the dead-letter topic, byte for byte.",
                Query(counted(streams("dead_letters_total")), "dead letters", instant=True),
                "short",
                levels=Levels(warn=1),
                unknown=NO_WORKER,
                alerts=("ReconstreamDeadLetters",),
            ),
        ),
        line(
            9,
            lines(
                "Records taken in",
                "Records taken from the input in a second, whatever became of them, by stream.",
                [Query(rate(streams("records_consumed_total"), "stream"), "{{stream}}")],
                "recps",
                unknown=NO_WORKER,
                alerts=("ReconstreamStreamSilent",),
            ),
            lines(
                "Time behind, by stream",
                "For how long the last stable offset has been beyond what is committed, of the partition of each "
                "stream for which it is longest. Records of transactions that are still open do not count, since "
                "nobody may read them yet.",
                [Query(f"max by (stream) ({streams('consumer_lag_seconds')})", "{{stream}}")],
                "s",
                levels=Levels(warn=120, bad=1800),
                unknown="no partition",
                most=10,
                alerts=("ReconstreamLagging",),
            ),
            lines(
                "Age of samples when they are scored",
                "From the event time of a sample to its score, quantiles over all windows scored. It holds what the "
                "sender and Kafka take too, and where history is read it is as long as the history is old.",
                quantiles(_LAG),
                "s",
                unknown="nothing scored",
                log=True,
            ),
        ),
        line(
            9,
            lines(
                "Commits",
                "Commits in a second by outcome. refused: nothing of it is visible, and it is sent again. unknown: "
                "the answer did not come, and all is read back from the topics. Both are rare, and harmless one at a "
                "time.",
                [Query(rate(instances("commits_total"), "outcome"), "{{outcome}}")],
                "cps",
                colours={"committed": SKY, "refused": ORANGE, "unknown": BAD},
                unknown=NO_WORKER,
                alerts=("ReconstreamCommitsFailing",),
            ),
            lines(
                "Poll limit used, by instance",
                "Longest recent time between polls over the limit at which the group gives up on a worker. From half "
                "of it on the worker logs what to look at.",
                [Query(instances("poll_interval_ratio"), "{{instance}}")],
                "percentunit",
                levels=Levels(warn=0.5, bad=1),
                unknown=NO_WORKER,
                most=1,
                alerts=("ReconstreamPollNearLimit",),
            ),
            lines(
                "Memory",
                "Resident memory of the processes, by instance. What windows and models take of it is in the section "
                "*Memory and processor*.",
                [Query(instances("process_resident_memory_bytes"), "{{instance}}")],
                "bytes",
                unknown=NO_WORKER,
                alerts=("ReconstreamMemoryHigh",),
            ),
        ),
    )
