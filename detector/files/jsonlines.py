"""JSON Lines: one flat object a line."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from detector.errors import ConfigError, InvalidRecordError
from detector.files.columns import Columns, Kind
from detector.records.decoders import decode_json
from detector.records.quoting import quoted
from detector.records.times import parse_iso_8601

_SAMPLED_LINES = 10_000
_NUMBER_TYPES = {float, int, type(None)}


class JsonLinesFormat:
    """A file of JSON objects, one a line; empty lines are passed over.

    Which columns there are, and of what kind, is decided by the first ten thousand lines. A field that is absent or
    null is a missing value. Bare NaN, which Python writes, is read as in records.

    Raises:
        ConfigError: empty, or a line is not a JSON object.
    """

    rows: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        seen: dict[str, Kind] = {}
        for _, fields in itertools.islice(self._objects(), _SAMPLED_LINES):
            for name, value in fields.items():
                seen[name] = _merge(seen.get(name, Kind.EMPTY), value)
        if not seen:
            raise ConfigError(f"{path}: the file is empty; it needs one JSON object a line")
        self.kinds: Mapping[str, Kind] = seen

    def batches(self, columns: Columns, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See `detector.files.formats.Format`."""
        objects = self._objects()
        while block := list(itertools.islice(objects, batch_rows)):
            arrays = {columns.time: pa.array([_text(fields.get(columns.time)) for _, fields in block], pa.string())}
            if columns.series is not None:
                arrays[columns.series] = pa.array([_text(f.get(columns.series)) for _, f in block], pa.string())
            for channel in columns.channels:
                arrays[channel] = self._numbers(block, channel)
            yield pa.RecordBatch.from_pydict(arrays)

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line numbers, from 1, and objects."""
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    text = line.strip()
                    if not text:
                        continue
                    try:
                        fields = decode_json(text)
                    except InvalidRecordError as error:
                        raise ConfigError(f"{self._path}, line {number}: not JSON: {error.detail}") from error
                    if not isinstance(fields, dict):
                        raise ConfigError(
                            f'{self._path}, line {number}: each line must be an object like {{"cpu": 1.5}}'
                        )
                    yield number, fields
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror or error}") from error

    def _numbers(self, block: list[tuple[int, dict[str, Any]]], channel: str) -> pa.Array:
        values = [fields.get(channel) for _, fields in block]
        try:
            # A set of types is the quick look; only a block that has something else is searched for the line.
            if {type(value) for value in values} <= _NUMBER_TYPES:
                return pa.array([None if value is None else float(value) for value in values], pa.float64())
        except OverflowError:  # an integer of hundreds of digits
            pass
        number, value = next((number, fields[channel]) for number, fields in block if not _fits(fields.get(channel)))
        raise ConfigError(
            f"{self._path}, line {number}: the channel {channel!r} is {quoted(value)}, not a usable number. "
            "Repair the line, or name the columns to read with --channels"
        )


def _fits(value: Any) -> bool:
    return type(value) in _NUMBER_TYPES and (type(value) is not int or abs(value) <= sys.float_info.max)


def _merge(known: Kind, value: Any) -> Kind:
    """Kind of a column of which one more value was seen."""
    if value is None:
        return known
    if isinstance(value, (bool, dict, list)):
        return Kind.OTHER
    kind = Kind.NUMBER if isinstance(value, (int, float)) else (Kind.TIME if _is_time(value) else Kind.TEXT)
    if known in (Kind.EMPTY, kind):
        return kind
    return Kind.TEXT if {known, kind} == {Kind.TIME, Kind.TEXT} else Kind.OTHER


def _is_time(text: str) -> bool:
    try:
        parse_iso_8601(text)
    except InvalidRecordError:
        return False
    return True


def _text(value: Any) -> str | None:
    """As the parser of times and a reader of names take it."""
    return value if value is None or isinstance(value, str) else str(value)
