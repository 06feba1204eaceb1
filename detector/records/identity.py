"""Which series a record belongs to, and when it happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.errors import InvalidRecordError
from detector.records.paths import MISSING, FieldPath
from detector.records.quoting import quoted
from detector.records.times import checked, time_parser
from detector.records.values import Record
from detector.settings import RecordSettings

# Names are part of every state and event record; one of a megabyte would make those too large for the broker.
MAX_NAME_BYTES = 1024
_NS_PER_MS = 1_000_000


class SeriesName:
    """The name of a record's series: its key, or the values of fields.

    Values of several fields are joined by ``/``; within such a value ``%`` is written ``%25`` and ``/`` is
    written ``%2F``, so that two different combinations never share a name.

    Args:
        fields: Paths; none for the record key.

    Raises:
        ConfigError: a path cannot be parsed.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._paths = tuple(FieldPath(field) for field in fields)

    def __call__(self, document: dict[str, Any], record: Record) -> str:
        """The name.

        Raises:
            InvalidRecordError: ``missing_series``, ``bad_series`` or ``not_utf8``.
        """
        if not self._paths:
            return self.of_key(record.key)
        if len(self._paths) == 1:
            return _check(_text(self._paths[0], document))
        parts = (_text(path, document).replace("%", "%25").replace("/", "%2F") for path in self._paths)
        return _check("/".join(parts))

    @staticmethod
    def of_key(key: bytes | None) -> str:
        """The name that a record key gives.

        Raises:
            InvalidRecordError: ``missing_series``, ``bad_series`` or ``not_utf8``.
        """
        if not key:
            raise InvalidRecordError(
                "missing_series", "the record has no key; set record.series_fields to name the series"
            )
        if len(key) > MAX_NAME_BYTES:
            raise InvalidRecordError(
                "bad_series", f"the key has {len(key)} bytes; at most {MAX_NAME_BYTES} name a series"
            )
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRecordError("not_utf8", f"byte {error.start} of the key is not UTF-8") from error


def _text(path: FieldPath, document: dict[str, Any]) -> str:
    value = path.get(document)
    if type(value) is str and value:
        return value
    if type(value) is int and value.bit_length() <= 128:
        return str(value)
    what = "missing" if value is MISSING else "empty" if value == "" else f"{quoted(value)}, not text or a whole number"
    raise InvalidRecordError("missing_series", f"the series field {path.text} is {what}")


def _check(name: str) -> str:
    try:
        size = len(name) if name.isascii() else len(name.encode("utf-8"))
    except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair
        raise InvalidRecordError("not_utf8", f"the series name {quoted(name)} is not UTF-8") from error
    if size > MAX_NAME_BYTES:
        raise InvalidRecordError(
            "bad_series", f"the series name has {size} bytes; at most {MAX_NAME_BYTES} are allowed"
        )
    return name


class EventTime:
    """The event time of a record: a field's, or the record's own timestamp.

    Args:
        settings: Names field and unit, and how far ahead of the record's timestamp the field may be.

    Raises:
        ConfigError: the path cannot be parsed.
    """

    def __init__(self, settings: RecordSettings) -> None:
        self._path = FieldPath(settings.time_field) if settings.time_field is not None else None
        self._parse = time_parser(settings.time_unit)
        self._max_future_seconds = settings.max_future_seconds
        self._max_future_ns = int(settings.max_future_seconds * 1e9)

    def __call__(self, document: dict[str, Any], record: Record) -> int:
        """Nanoseconds since the epoch.

        Raises:
            InvalidRecordError: ``missing_time``, ``bad_time`` or ``future_time``.
        """
        stamp = record.timestamp
        if self._path is None:
            if stamp < 0:
                raise InvalidRecordError("missing_time", "the record has no timestamp; set record.time_field")
            return checked(stamp * _NS_PER_MS, stamp)
        value = self._path.get(document)
        if value is MISSING:
            raise InvalidRecordError("missing_time", f"the time field {self._path.text} is missing")
        time_ns = self._parse(value)
        if stamp >= 0 and time_ns - stamp * _NS_PER_MS > self._max_future_ns:
            ahead_seconds = (time_ns - stamp * _NS_PER_MS) / 1e9
            raise InvalidRecordError(
                "future_time",
                f"the time {quoted(value)} is {ahead_seconds:.0f} s ahead of the record's timestamp; "
                f"at most {self._max_future_seconds:g} s are allowed (max_future_seconds)",
            )
        return time_ns
