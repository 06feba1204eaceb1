"""*Worker*: what comes in, and what cannot be read."""

from __future__ import annotations

from deploy.grafana.dashboards.colours import GREY, ORANGE, PURPLE, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, bars, lines
from deploy.grafana.dashboards.queries import Query, counted, streams, total
from deploy.grafana.dashboards.worker.common import NO_WORKER


def input_section() -> Section:
    """What comes in, and what cannot be read."""
    return section(
        "Input",
        line(
            8,
            bars(
                "Rejected records, by reason",
                "Records that cannot become a sample, by reason. Each goes to the dead-letter topic with its reason. "
                "A rise is a producer that changed its format, or a `record` section that does not fit the topic.",
                [Query(counted(streams("records_rejected_total"), "reason", over="$__interval"), "{{reason}}")],
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
            ),
            bars(
                "Samples that are not whole",
                "filled: missing ones bridged within a short gap, which are never scored. incomplete: assembled from "
                "single channels, and went on with some of them missing.",
                [
                    Query(counted(streams("samples_filled_total"), over="$__interval"), "filled", SKY),
                    Query(counted(streams("samples_incomplete_total"), over="$__interval"), "incomplete", ORANGE),
                ],
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
                steps=True,
                most=1,
                alerts=("ReconstreamSeriesSplit",),
            ),
        ),
    )
