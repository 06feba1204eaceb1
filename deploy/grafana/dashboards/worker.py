"""*Worker*: whether the workers keep up, and what with."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.addresses import runbook
from deploy.grafana.dashboards.colours import BAD, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from deploy.grafana.dashboards.page import ALERTS, MODELS, REBALANCES, RESTARTS, Section, line, page, section
from deploy.grafana.dashboards.panels import Levels, bars, density, lines, number
from deploy.grafana.dashboards.queries import Query, counted, instances, quantile, rate, recorded, streams, total
from deploy.grafana.dashboards.tables import Column, rows

_NO_WORKER: Final = "no worker"
_NO_RULES: Final = "no recording rules"
_LAG: Final = streams("event_time_lag_seconds_bucket")
_QUANTILES: Final = ((0.99, "99%", ORANGE), (0.9, "90%", SKY), (0.5, "median", BLUE))


def _quantiles(selector: str) -> list[Query]:
    return [Query(quantile(q, selector), name, colour) for q, name, colour in _QUANTILES]


def _overview() -> Section:
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
                unknown=_NO_RULES,
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
                unknown=_NO_RULES,
                alerts=("ReconstreamPartitionsUnwatched",),
            ),
            number(
                "Records",
                "Records taken from the input in a second, of all selected streams.",
                Query(rate(streams("records_consumed_total")), "records"),
                "recps",
                unknown=_NO_WORKER,
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
                unknown=_NO_WORKER,
                decimals=0,
                alerts=("ReconstreamPollNearLimit",),
            ),
            number(
                "Memory used",
                "Resident memory over what the process may use, of the worker that is closest to its limit.",
                Query(f"max({recorded('instance:reconstream_memory:ratio')})", "used"),
                "percentunit",
                levels=Levels(warn=0.85, bad=0.95),
                unknown=_NO_RULES,
                decimals=0,
                alerts=("ReconstreamMemoryHigh",),
            ),
            number(
                "Dead letters",
                "Records of the time range that could not be read and went to the dead-letter topic, byte for byte.",
                Query(counted(streams("dead_letters_total")), "dead letters", instant=True),
                "short",
                levels=Levels(warn=1),
                unknown=_NO_WORKER,
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
                unknown=_NO_WORKER,
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
                _quantiles(_LAG),
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
                unknown=_NO_WORKER,
                alerts=("ReconstreamCommitsFailing",),
            ),
            lines(
                "Poll limit used, by instance",
                "Longest recent time between polls over the limit at which the group gives up on a worker. From half "
                "of it on the worker logs what to look at.",
                [Query(instances("poll_interval_ratio"), "{{instance}}")],
                "percentunit",
                levels=Levels(warn=0.5, bad=1),
                unknown=_NO_WORKER,
                most=1,
                alerts=("ReconstreamPollNearLimit",),
            ),
            lines(
                "Memory",
                "Resident memory of the processes, by instance. What windows and models take of it is in the section "
                "*Memory and processor*.",
                [Query(instances("process_resident_memory_bytes"), "{{instance}}")],
                "bytes",
                unknown=_NO_WORKER,
                alerts=("ReconstreamMemoryHigh",),
            ),
        ),
    )


def _input() -> Section:
    return section(
        "Input",
        line(
            8,
            bars(
                "Rejected records, by reason",
                "Records that cannot become a sample, by reason. Each goes to the dead-letter topic with its reason. "
                "A rise is a producer that changed its format, or a `record` section that does not fit the topic.",
                [Query(counted(streams("records_rejected_total"), "reason", over="$__interval"), "{{reason}}")],
                unknown=_NO_WORKER,
                alerts=("ReconstreamInputInvalid", "ReconstreamDeadLetters"),
            ),
            bars(
                "Samples that were dropped",
                "late: a later sample of the series was there before. duplicate: the series had one of the same time. "
                "ignored: a valid record without any channel of the model. None of them is an error of the worker.",
                [
                    Query(counted(streams("records_late_total"), over="$__interval"), "late", ORANGE),
                    Query(counted(streams("records_duplicate_total"), over="$__interval"), "duplicate", SKY),
                    Query(counted(streams("records_ignored_total"), over="$__interval"), "ignored", GREY),
                ],
                unknown=_NO_WORKER,
                alerts=("ReconstreamSamplesLate",),
            ),
            lines(
                "Event time behind the clock",
                "How far the newest event time of a stream is behind the wall clock. It grows by a second each second "
                "where nothing new comes; a stream that replays old telemetry is as far behind as that is old.",
                [Query(f"time() - max by (stream) ({streams('event_timestamp_seconds')})", "{{stream}}")],
                "s",
                unknown="no event time yet",
            ),
        ),
        line(
            8,
            bars(
                "Windows begun anew",
                "gap: the series paused for longer than may be bridged. forgotten: it did not come back in time. Many "
                "at once are an outage of the sender.",
                [Query(counted(streams("windows_reset_total"), "reason", over="$__interval"), "{{reason}}")],
                colours={"gap": ORANGE, "forgotten": PURPLE},
                unknown=_NO_WORKER,
            ),
            bars(
                "Samples that are not whole",
                "filled: missing ones bridged within a short gap, which are never scored. incomplete: assembled from "
                "single channels, and went on with some of them missing.",
                [
                    Query(counted(streams("samples_filled_total"), over="$__interval"), "filled", SKY),
                    Query(counted(streams("samples_incomplete_total"), over="$__interval"), "incomplete", ORANGE),
                ],
                unknown=_NO_WORKER,
            ),
            lines(
                "Records behind, by stream",
                "Records between what is committed and the last stable offset, by stream.",
                [Query(total(streams("consumer_lag_records"), "stream"), "{{stream}}")],
                "short",
                unknown="no partition",
                most=10,
            ),
        ),
        line(
            8,
            lines(
                "Since the last record of a partition",
                "How long ago the quietest partition of each stream last gave a record. One that rests while others "
                "go on is a key without traffic, or a sender that stopped.",
                [
                    Query(
                        f"time() - min by (stream) ({streams('partition_last_record_timestamp_seconds')})",
                        "{{stream}}",
                    )
                ],
                "s",
                unknown="no record yet",
                alerts=("ReconstreamPartitionSilent",),
            ),
            lines(
                "Series in several partitions",
                "Series whose records are spread over partitions, and which are watched as one series in each. It "
                "should be zero: key the topic by series, or copy it with `detector repartition`.",
                [Query(total(streams("series_in_several_partitions"), "stream"), "{{stream}}")],
                "short",
                levels=Levels(bad=1),
                unknown=_NO_WORKER,
                steps=True,
                most=1,
                alerts=("ReconstreamSeriesSplit",),
            ),
        ),
    )


def _scoring() -> Section:
    return section(
        "Scoring and commits",
        line(
            8,
            lines(
                "Windows scored",
                "Windows that got a score, in a second, by stream.",
                [Query(rate(streams("windows_scored_total"), "stream"), "{{stream}}")],
                "cps",
                unknown=_NO_WORKER,
                alerts=("ReconstreamNothingScored",),
            ),
            lines(
                "Time to score a batch",
                "Time that a batch of windows took to score, quantiles.",
                _quantiles(streams("scoring_duration_seconds_bucket")),
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
                _quantiles(instances("commit_duration_seconds_bucket")),
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
                _quantiles(instances("commit_records_bucket")),
                "short",
                unknown="no commit",
            ),
            lines(
                "Records asked for in a poll",
                "Most records that the next poll asks for, by instance; it follows the measured time that they take.",
                [Query(instances("poll_records_limit"), "{{instance}}")],
                "short",
                unknown=_NO_WORKER,
                steps=True,
            ),
        ),
    )


def _group() -> Section:
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
                unknown=_NO_WORKER,
                stacked=True,
                steps=True,
            ),
            bars(
                "Rebalances",
                "Times that the assignment of a worker changed. They come with starts and stops of workers; one after "
                "the other without either is a worker that misses the poll limit.",
                [Query(counted(instances("rebalances_total"), "instance", over="$__interval"), "{{instance}}")],
                unknown=_NO_WORKER,
                alerts=("ReconstreamRebalancing",),
            ),
            lines(
                "Partitions unwatched, by job",
                "Partitions of the input topics that no worker watches.",
                [Query(recorded("job:reconstream_partitions_unwatched:sum"), "{{job}}")],
                "short",
                levels=Levels(warn=1),
                unknown=_NO_RULES,
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
                unknown=_NO_WORKER,
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
                unknown=_NO_WORKER,
            ),
            lines(
                "Records read again",
                "Records read again in a second, silently, to restore state.",
                [Query(rate(streams("restore_records_total"), "stream"), "{{stream}}")],
                "recps",
                unknown=_NO_WORKER,
            ),
            bars(
                "Restorations that failed",
                "Restorations of a partition that failed and were begun anew, by stream. The log says why.",
                [Query(counted(streams("restore_failures_total"), "stream", over="$__interval"), "{{stream}}")],
                unknown=_NO_WORKER,
                alerts=("ReconstreamRestoreStuck",),
            ),
            bars(
                "Late polls",
                "Polls that came later than half of the limit, by instance.",
                [Query(counted(instances("polls_late_total"), "instance", over="$__interval"), "{{instance}}")],
                unknown=_NO_WORKER,
                alerts=("ReconstreamPollNearLimit",),
            ),
        ),
    )


def _restored(bound: str) -> str:
    return counted(streams("restore_duration_seconds_bucket", f'le="{bound}"'), over="$__interval")


def _resources() -> Section:
    return section(
        "Memory and processor",
        line(
            8,
            lines(
                "Memory of series",
                "What series in memory take: their windows and what the model carries along; and what a challenger "
                "carries. The rest of a process is the program, the model and the buffers of Kafka.",
                [
                    Query(total(streams("series_memory_bytes"), "stream"), "{{stream}}"),
                    Query(
                        total(streams("shadow_memory_bytes"), "stream"), "{{stream}}, challenger", PURPLE, dashed=True
                    ),
                ],
                "bytes",
                unknown=_NO_WORKER,
            ),
            lines(
                "Series out of memory",
                "Series that are in a local file rather than in memory. No outcome depends on it.",
                [
                    Query(total(streams("series_not_resident"), "stream"), "{{stream}}"),
                ],
                "short",
                unknown=_NO_WORKER,
                steps=True,
                most=1,
            ),
            lines(
                "Files of series",
                "Size of the local files of series that are not in memory.",
                [Query(total(streams("series_file_bytes"), "stream"), "{{stream}}")],
                "bytes",
                unknown=_NO_WORKER,
            ),
        ),
        line(
            8,
            bars(
                "Series moved out and in",
                "evicted: moved from memory to a local file. reloaded: moved back, since a record came. failed: "
                "stayed in memory, since the file could not be written. Much of both at once is a limit of memory "
                "that is too low.",
                [
                    Query(counted(streams("series_evicted_total"), over="$__interval"), "evicted", SKY),
                    Query(counted(streams("series_reloaded_total"), over="$__interval"), "reloaded", BLUE),
                    Query(counted(streams("series_eviction_failures_total"), over="$__interval"), "failed", BAD),
                ],
                unknown=_NO_WORKER,
                alerts=("ReconstreamEvictionFailing",),
            ),
            lines(
                "Processor",
                "Processor time of the processes in a second, by instance: 1 is a whole core.",
                [Query(f"rate({instances('process_cpu_seconds_total')}[$__rate_interval])", "{{instance}}")],
                "short",
                unknown=_NO_WORKER,
            ),
            lines(
                "Open files and connections",
                "File descriptors that the processes hold, over their limit.",
                [
                    Query(
                        f"{instances('process_open_fds')} / {instances('process_max_fds')}",
                        "{{instance}}",
                    )
                ],
                "percentunit",
                levels=Levels(warn=0.8),
                unknown=_NO_WORKER,
                most=1,
            ),
        ),
    )


def _replays() -> Section:
    return section(
        "Replays that run regularly",
        line(
            7,
            rows(
                "Replays",
                "How the replays ended that write `--metrics` for Prometheus's node_exporter, one row each. An exit "
                "code other than 0 means that it ended badly; then there are no counts.",
                [
                    Column("Replay", label="replay"),
                    Column(
                        "Exit code",
                        "max by (replay) (reconstream_replay_run_exit_code)",
                        levels=Levels(bad=1),
                        link=(runbook("ReconstreamReplayFailed"), "Runbook"),
                    ),
                    Column(
                        "Ended",
                        "1000 * max by (replay) (reconstream_replay_run_completion_timestamp_seconds)",
                        unit="dateTimeFromNow",
                    ),
                    Column("Took", "max by (replay) (reconstream_replay_run_duration_seconds)", unit="s", decimals=0),
                    Column("Records", "max by (replay) (reconstream_replay_run_records)"),
                    Column("Windows scored", "max by (replay) (reconstream_replay_run_windows_scored)"),
                    Column("Incidents", "sum by (replay) (reconstream_replay_run_incidents)"),
                ],
                sort="Exit code",
                unknown="no replay has written --metrics",
            ),
        ),
    )


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-worker",
        "reconstream: Worker",
        "Whether the workers keep up with their topics, and what with: throughput, lag, latencies, commits, recovery, "
        "memory.",
        (_overview(), _input(), _scoring(), _group(), _resources(), _replays()),
        annotations=(REBALANCES, RESTARTS, MODELS, ALERTS),
        since="now-6h",
    )
