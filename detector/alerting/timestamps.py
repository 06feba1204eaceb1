"""Event times as text: ISO 8601, UTC, and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_NS_PER_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMESTAMP_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}){1,3}Z$"
_TIMESTAMP = re.compile(TIMESTAMP_PATTERN.strip("^$"), re.ASCII)


def format_time(time_ns: int) -> str:
    """``2026-01-02T03:04:05.678Z``; with six or nine decimals where the time has them, so that nothing is lost.

    Args:
        time_ns: Nanoseconds since the epoch, UTC; any int64.
    """
    seconds, fraction_ns = divmod(time_ns, _NS_PER_SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    decimals = f"{fraction_ns:09d}"
    while len(decimals) > 3 and decimals.endswith("000"):
        decimals = decimals[:-3]
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{decimals}Z"


def parse_time(text: str) -> int:
    """Nanoseconds since the epoch, from what `format_time` wrote.

    Raises:
        ValueError: the text is not of that form, or no such time exists.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"{text!r} is not a time of the form 2026-01-02T03:04:05.678Z")
    moment = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _NS_PER_SECOND + int(text[20:-1].ljust(9, "0"))
