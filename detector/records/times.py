"""Event times: numbers of four units and ISO 8601 text, to nanoseconds since the epoch, UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date
from datetime import datetime as _datetime
from typing import Any, Literal

from detector.errors import InvalidRecordError
from detector.records.quoting import quoted

TimeUnit = Literal["auto", "s", "ms", "us", "ns", "iso8601"]

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# The difference of any two accepted times fits int64; Kafka knows no time before 1970 either.
END_NS = int(_datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
_NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_ISO_8601 = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?\s?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)


def time_parser(unit: TimeUnit) -> Callable[[Any], int]:
    """A function from a field's value to nanoseconds since the epoch.

    ``auto`` tells numbers apart by size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
    nanoseconds; so that times from 1973 to 5138 are recognised in each unit. Text is a number or ISO 8601; without a
    zone it is UTC. Fractions of numbers count down to the microsecond, those of ISO 8601 down to the nanosecond.

    The function raises `InvalidRecordError` ``missing_time`` for null and ``bad_time`` for what is no time, or lies
    outside 1970 to 2199.
    """
    if unit == "iso8601":
        return _parse_iso_only

    def parse(value: Any) -> int:
        number = _number(value) if type(value) is str else value
        if type(number) is int:
            if unit == "auto" and abs(number) > 10**22:  # also: float() of a longer one could overflow
                raise InvalidRecordError("bad_time", "the time is a number far too large")
            return checked(number * _NS_PER_UNIT[_unit_by_size(number) if unit == "auto" else unit], value)
        if type(number) is float:
            if not -1e22 < number < 1e22:  # false for NaN too
                raise InvalidRecordError("bad_time", f"{number!r} is not a time")
            name = _unit_by_size(number) if unit == "auto" else unit
            # To whole microseconds: a double has no more digits than that for the seconds of our time.
            nanoseconds = int(number) if name == "ns" else round(number * (_NS_PER_UNIT[name] // 1000)) * 1000
            return checked(nanoseconds, value)
        if type(number) is str:
            return parse_iso_8601(number)
        if number is None:
            raise InvalidRecordError("missing_time", "the time is null")
        raise InvalidRecordError("bad_time", f"{quoted(value)} is not a time")

    return parse


def _parse_iso_only(value: Any) -> int:
    if value is None:
        raise InvalidRecordError("missing_time", "the time is null")
    if type(value) is not str:
        raise InvalidRecordError("bad_time", f"{quoted(value)} is not ISO 8601 text, which time_unit iso8601 asks for")
    return parse_iso_8601(value)


def _unit_by_size(number: float) -> str:
    size = abs(number)
    if size < 1e11:
        return "s"
    if size < 1e14:
        return "ms"
    return "us" if size < 1e17 else "ns"


def _number(text: str) -> int | float | str:
    """The number that a text spells, or the text itself."""
    stripped = text.strip()
    match = _NUMBER.fullmatch(stripped)
    if match is None:
        return text
    return int(stripped) if match[1] is None and match[2] is None else float(stripped)


def parse_iso_8601(text: str) -> int:
    """Nanoseconds since the epoch of a date, or a date and time, with ``Z``, an offset, or neither (UTC).

    Raises:
        InvalidRecordError: ``bad_time``.
    """
    match = _ISO_8601.fullmatch(text.strip())
    if match is None:
        raise InvalidRecordError("bad_time", f"{quoted(text)} is neither a number nor ISO 8601")
    year, month, day, hour, minute, second, fraction, _, sign, zone_hours, zone_minutes = match.groups(default="0")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise InvalidRecordError("bad_time", f"{quoted(text)} is not a date of the calendar") from error
    # Second 60 is a leap second; it is the same instant for us as the first second of the next minute.
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60 or int(zone_hours) > 23 or int(zone_minutes) > 59:
        raise InvalidRecordError("bad_time", f"{quoted(text)} is not a time of day")
    offset_seconds = (int(zone_hours) * 3600 + int(zone_minutes) * 60) * (-1 if sign == "-" else 1)
    seconds = days * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second) - offset_seconds
    return checked(seconds * 1_000_000_000 + int(fraction[:9].ljust(9, "0")), text)


def checked(time_ns: int, value: Any) -> int:
    """The time itself.

    Raises:
        InvalidRecordError: ``bad_time`` when it lies outside 1970 to 2199.
    """
    if 0 <= time_ns < END_NS:
        return time_ns
    raise InvalidRecordError("bad_time", f"{quoted(value)} lies outside the years 1970 to 2199; is the unit right?")
