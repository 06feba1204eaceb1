"""What prometheus_client exports of the process and of Python, beside the worker's own metrics."""

from __future__ import annotations

from typing import Final

from detector.observability.factory import MetricDescription

_SECTION: Final = "The process"


def _of(name: str, kind: str, text: str, *labels: str) -> MetricDescription:
    return MetricDescription(_SECTION, name, kind, labels, text)


LIBRARY: Final = (
    _of("process_start_time_seconds", "gauge", "Wall-clock time at which the process started."),
    _of("process_cpu_seconds_total", "counter", "Processor time that the process has used."),
    _of("process_resident_memory_bytes", "gauge", "Memory that the process holds."),
    _of("process_virtual_memory_bytes", "gauge", "Address space of the process."),
    _of("process_open_fds", "gauge", "Files and sockets that are open."),
    _of("process_max_fds", "gauge", "Most of them that may be open."),
    _of("python_gc_collections_total", "counter", "Runs of Python's garbage collector.", "generation"),
    _of("python_gc_objects_collected_total", "counter", "Objects that it freed.", "generation"),
    _of("python_gc_objects_uncollectable_total", "counter", "Objects that it could not free.", "generation"),
    _of(
        "python_info", "gauge", "The interpreter; always 1.",
        "version", "implementation", "major", "minor", "patchlevel",
    ),
)  # fmt: skip
"""On Linux, with prometheus_client's registry of the process, which the command uses; a registry of a test has none."""
