"""The times of what is published: which there are, where they are to begin, and how far ahead of the clock they run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from detector.errors import ConfigError, InvalidRecordError
from detector.files.table import Table
from detector.moments import parse_moment
from detector.records.times import parse_iso_8601

_NS_PER_SECOND = 1_000_000_000


def time_range_ns(tables: Sequence[Table]) -> tuple[int, int]:
    """Event times of the first and the last row of all files, nanoseconds since the epoch.

    Raises:
        ConfigError: there are no rows.
    """
    ranges = [found for found in (table.time_range_ns() for table in tables) if found is not None]
    if not ranges:
        raise ConfigError(f"{', '.join(str(table.path) for table in tables)}: there are no rows to publish")
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def start_ns(text: str, now_ns: int) -> int:
    """The time that ``--start-at`` names; cut to the millisecond where it goes by the clock, as Kafka keeps times.

    Args:
        text: As typed: ISO 8601, ``now``, or a duration before now.
        now_ns: Nanoseconds since the epoch, as the result.

    Raises:
        ConfigError: it is none of these.
    """
    if text == "now":
        return now_ns // 1_000_000 * 1_000_000
    try:
        return parse_iso_8601(text)
    except InvalidRecordError:
        pass
    try:
        before_ns = parse_moment(text, "--start-at", datetime.fromtimestamp(now_ns / _NS_PER_SECOND, UTC))
    except ConfigError:
        raise ConfigError(
            f"--start-at: {text!r} is neither now, nor a time such as 2026-01-02T03:04:05Z, nor a duration before now "
            "such as 2h"
        ) from None
    return before_ns // 1_000_000 * 1_000_000


def ahead_of_clock_ns(first_ns: int, last_ns: int, now_ns: int, speed: float | None) -> int:
    """How far ahead of the moment at which it is sent a record's time will lie, at most.

    With a speed above 1 event time runs ahead of the clock; without a speed all is sent at once.
    """
    lasts_ns = 0 if speed is None else int((last_ns - first_ns) / speed)
    return max(first_ns - now_ns, last_ns - (now_ns + lasts_ns))
