"""Times and offsets as people type them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from detector.errors import ConfigError
from detector.settings import parse_duration

NS_PER_SECOND = 1_000_000_000
_LONGEST_SECONDS = 1e12
_EARLIEST_NS, _LATEST_NS = -(2**63), 2**63 - 1


def parse_moment(text: str, option: str, now: datetime) -> int:
    """Nanoseconds since the epoch of an ISO 8601 time, or of a duration before now, such as ``14d``.

    Event times are int64, from 1677 to 2262; what lies beyond means the first or the last of them.

    Args:
        text: What was typed; a time without a zone is UTC.
        option: Name of the option, for the message.
        now: Present time, aware.

    Raises:
        ConfigError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            seconds = parse_duration(text)
        except ValueError:
            seconds = None
        if not isinstance(seconds, float) or not abs(seconds) < _LONGEST_SECONDS:
            raise ConfigError(
                f"{option}: {text!r} is neither a time such as 2026-01-31T08:00:00Z nor a duration before now "
                "such as 14d"
            ) from None
        return _bounded(round((now.timestamp() - seconds) * NS_PER_SECOND))
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    whole = int(aware.replace(microsecond=0).timestamp())
    return _bounded(whole * NS_PER_SECOND + aware.microsecond * 1000)


def _bounded(time_ns: int) -> int:
    return min(max(time_ns, _EARLIEST_NS), _LATEST_NS)


def parse_span(text: str, option: str) -> float:
    """Seconds of a duration such as ``90s``, ``2h`` or ``7d``.

    Raises:
        ConfigError: it is not one.
    """
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
    if not isinstance(seconds, float) or not 0 <= seconds < math.inf:
        raise ConfigError(f"{option}: {text!r} is not a duration; write seconds or text such as 90s, 5m, 1h30m, 7d")
    return seconds
