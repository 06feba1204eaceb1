"""Bytes to fields: decoders by name.

A decoder turns a record's value into plain Python data: ``dict``, ``list``, ``str``, numbers, ``bool`` and ``None``.
Packages add their own under the entry point group ``reconstream.decoders``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, NamedTuple, Protocol

import msgspec

from detector.errors import ConfigError, InvalidRecordError
from detector.records.quoting import cut

ENTRY_POINT_GROUP = "reconstream.decoders"
_DETAIL_CHARACTERS = 200


class Decoder(Protocol):
    """Turns the value of a record into data that field paths can walk.

    Called once a record, from one thread; must not block. ``dict`` values are fields; a `Row` is a sample already.

    Raises:
        InvalidRecordError: the value is not in this format.
    """

    def __call__(self, value: bytes) -> object: ...  # noqa: D102


class Row(NamedTuple):
    """A row of a file: its event time in nanoseconds, and a float for each channel, NaN where there is none."""

    time_ns: int
    values: Any


_decode_json = msgspec.json.Decoder().decode


def decode_json(value: bytes) -> object:
    """JSON in UTF-8. The bare tokens NaN and Infinity, which Python writes, are read as those floats.

    Raises:
        InvalidRecordError: ``not_utf8`` or ``not_json``.
    """
    try:
        return _decode_json(value)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        return _decode_unusual_json(value, error)
    except TypeError as error:
        raise InvalidRecordError("not_json", f"the value is {type(value).__name__}, not bytes") from error


def _decode_unusual_json(value: bytes, error: Exception) -> object:
    """Second look at what strict JSON refuses; only bad records and those with NaN or a byte order mark pay for it."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as unicode_error:
        raise InvalidRecordError("not_utf8", f"byte {unicode_error.start} of the value is not UTF-8") from error
    text = text.removeprefix("\ufeff")
    if len(text) < len(value) or "NaN" in text or "Infinity" in text:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as second_error:
            error = second_error
    if isinstance(error, RecursionError):
        raise InvalidRecordError("not_json", "the value is nested too deeply") from error
    # It names the way to the place, which a nested value makes as long as it likes.
    detail = "the value is empty" if not text.strip() else cut(f"{error}", _DETAIL_CHARACTERS)
    raise InvalidRecordError("not_json", detail) from error


def decode_row(value: Any) -> Row:
    """Pass a file's row ``(time_ns, values)`` through; only file replays use this decoder.

    Raises:
        InvalidRecordError: ``not_an_object``, for bytes: the decoder was named for a Kafka topic.
    """
    if not isinstance(value, tuple) or len(value) != 2:
        raise InvalidRecordError(
            "not_an_object", "the decoder 'row' reads rows of files; set record.decoder for a topic"
        )
    return Row(*value)


_BUILT_IN: Mapping[str, Decoder] = {"json": decode_json, "row": decode_row}


def decoder_names() -> list[str]:
    """Names that `decoder` knows: the built-in ones and those of installed packages."""
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def decoder(name: str) -> Decoder:
    """The decoder of this name; a built-in one wins over an installed package's.

    Raises:
        ConfigError: an unknown name, or a package's decoder that does not load.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            found: Decoder = point.load()
        except Exception as error:  # a foreign package: whatever it raises, the remedy is the same
            raise ConfigError(
                f"the decoder {name!r} ({point.value}) does not load: {error}; repair or remove it"
            ) from error
        if not callable(found):
            raise ConfigError(f"the decoder {name!r} ({point.value}) is not callable; repair or remove its package")
        return found
    known = decoder_names()
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"there is no decoder {name!r}; {hint}known decoders: {', '.join(known)}")
