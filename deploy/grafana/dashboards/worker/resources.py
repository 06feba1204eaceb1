"""*Worker*: memory and processor."""

from __future__ import annotations

from deploy.grafana.dashboards.colours import BAD, BLUE, PURPLE, SKY
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, bars, lines
from deploy.grafana.dashboards.queries import Query, counted, instances, streams, total
from deploy.grafana.dashboards.worker.common import NO_WORKER


def resources_section() -> Section:
    """What the workers live on."""
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
                unknown=NO_WORKER,
            ),
            lines(
                "Series out of memory",
                "Series that are in a local file rather than in memory. No outcome depends on it.",
                [
                    Query(total(streams("series_not_resident"), "stream"), "{{stream}}"),
                ],
                "short",
                unknown=NO_WORKER,
                steps=True,
                most=1,
            ),
            lines(
                "Files of series",
                "Size of the local files of series that are not in memory.",
                [Query(total(streams("series_file_bytes"), "stream"), "{{stream}}")],
                "bytes",
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
                alerts=("ReconstreamEvictionFailing",),
            ),
            lines(
                "Processor",
                "Processor time of the processes in a second, by instance: 1 is a whole core.",
                [Query(f"rate({instances('process_cpu_seconds_total')}[$__rate_interval])", "{{instance}}")],
                "short",
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
                most=1,
            ),
        ),
    )
