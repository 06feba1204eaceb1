"""Whether as many series as the settings allow have room in this machine's memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import structlog

from detector.pipeline.context import StreamContext
from detector.series.footprint import series_bytes

_log = structlog.get_logger(__name__)
_MIB = 1 << 20


def limit_files(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[Path]:
    """Files that may say how much memory this process may use, those that are not there among them.

    A container sees its own control group at the root. A service of systemd is in one further down, which
    ``/proc/self/cgroup`` names (cgroups(7)); a limit on any of those above it holds as well.

    Args:
        groups: Names the control groups of the process, of version 2 and of version 1.
        root: Where they are mounted.
    """
    yield from (root / "memory.max", root / "memory" / "memory.limit_in_bytes")
    try:
        lines = groups.read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if not controllers:
            folder, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = PurePosixPath(path)
        yield from (folder / str(each).lstrip("/") / name for each in (place, *place.parents))


def memory_limit(files: Iterable[Path] | None = None) -> int:
    """Bytes that this process may use: those of the machine, or fewer where its control group says so.

    Args:
        files: That may say so; `limit_files` without them.
    """
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in limit_files() if files is None else files:
        with contextlib.suppress(OSError, ValueError):  # there is none, or it says "max"
            limit = min(limit, int(file.read_text()))
    return limit


def tell_footprint(context: StreamContext, partitions: int, max_resident: int, limit: int) -> None:
    """Log what a series takes in memory, and warn if all that the settings allow would not fit.

    Args:
        context: Of the stream.
        partitions: Of its topic, all of which one worker may come to have.
        max_resident: Most series of a partition in memory.
        limit: Bytes that the process may use.
    """
    each, resident = series_bytes(context.spec, context.memory), min(max_resident, context.spec.max_series)
    most = each * resident * partitions
    numbers = {
        "stream": context.name,
        "bytes_per_series": each,
        "carried_bytes_per_series": context.memory.itemsize,
        "max_resident_series": resident,
        "partitions": partitions,
        "most_mib": -(-most // _MIB),
    }
    if most <= limit:
        _log.info("memory of series", **numbers)
        return
    _log.warning(
        "more series may stay in memory than this machine has room for; lower worker.state.max_resident_series, so "
        "that the others wait in a local file",
        **numbers,
        memory_mib=limit // _MIB,
        fits=limit // (each * partitions),
    )
