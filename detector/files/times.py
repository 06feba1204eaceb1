"""Columns of times to nanoseconds, by the same rule as in records."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detector.errors import ConfigError, InvalidRecordError
from detector.records.times import END_NS, time_parser

_NS = pa.timestamp("ns")
_parse = time_parser("auto")


def to_time_ns(path: Path, name: str, column: pa.Array, first_row: int) -> npt.NDArray[np.int64]:
    """Event times of one batch.

    Numbers are told apart by size (seconds to nanoseconds) and text is ISO 8601, as
    `detector.records.times.time_parser` has it; times without a zone are UTC.

    Args:
        path: For messages.
        name: Name of the column, for messages.
        column: Timestamps, dates, numbers or text.
        first_row: Number of the column's first row in the file, from 0.

    Returns:
        int64[rows], nanoseconds since the epoch, UTC.

    Raises:
        ConfigError: a value is missing, or no time between 1970 and 2199; names the row, counted from 1.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    quick = _cast(column)
    if quick is not None:
        return quick
    times = np.empty(len(column), dtype=np.int64)
    for index, value in enumerate(column.to_pylist()):
        try:
            times[index] = _parse(_plain(value))
        except InvalidRecordError as error:
            raise ConfigError(
                f"{path}, row {first_row + index + 1}: column {name!r}: {error.detail}. "
                "Repair the row, or name another column with --time-column"
            ) from error
    return times


def _cast(column: pa.Array) -> npt.NDArray[np.int64] | None:
    """The whole column at once, or None when a value needs a closer look or is wrong."""
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if column.null_count or not (is_text or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return None
    # Text either has a zone throughout or nowhere; Arrow reads each with its own type.
    for target in (_NS, pa.timestamp("ns", "UTC")) if is_text else (pa.timestamp("ns", getattr(kind, "tz", None)),):
        try:
            times: npt.NDArray[np.int64] = pc.cast(column, target).cast(pa.int64()).to_numpy(zero_copy_only=False)
        except pa.ArrowException:
            continue
        inside = bool(((times >= 0) & (times < END_NS)).all())
        return times if inside else None
    return None


def _plain(value: Any) -> Any:
    """What the parser of records takes: numbers, text and None."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return float(value) if hasattr(value, "as_tuple") else value
