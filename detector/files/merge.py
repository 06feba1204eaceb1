"""Rows of several files in the order of their times, as JSON records."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import msgspec

from detector.files.table import Table
from detector.files.timescale import TimeScale

_AS_IT_IS = TimeScale()


class JsonRow(NamedTuple):
    """A row, ready to be published.

    Attributes:
        time_ns: Event time, nanoseconds since the epoch, UTC.
        series: Name of its series.
        value: JSON object of its channels; null for what is missing.
    """

    time_ns: int
    series: str
    value: bytes


def json_rows(tables: Sequence[Table], scale: TimeScale = _AS_IT_IS) -> Iterator[JsonRow]:
    """All rows, by event time; rows of the same time in the order of ``tables``.

    Rows within one file keep the file's order even where its times go back, since a record that was late there should
    arrive late. Numbers are written so that they read back exactly. JSON has no NaN and no infinity: both become null.

    Args:
        tables: The files.
        scale: What becomes of the times.

    Raises:
        ConfigError: a file is damaged, or a row lacks its time or its series.
    """
    return heapq.merge(*(_rows(table, scale) for table in tables), key=itemgetter(0))


def json_rows_again_and_again(tables: Sequence[Table], scale: TimeScale, lap_ns: int) -> Iterator[JsonRow]:
    """All rows as `json_rows` gives them, then all again, so much later, and so on without end.

    Args:
        tables: The files; there is at least one row in them.
        scale: What becomes of the times the first time.
        lap_ns: From the first row of one round to that of the next, in new times.

    Raises:
        ConfigError: as `json_rows`.
    """
    while True:
        yield from json_rows(tables, scale)
        scale = scale.later(lap_ns)


def _rows(table: Table, scale: TimeScale) -> Iterator[JsonRow]:
    encode = msgspec.json.Encoder().encode
    channels = table.channels
    for chunk in table.chunks():
        times = scale.at(chunk.time_ns).tolist()
        for time_ns, series, values in zip(times, chunk.series, chunk.values.tolist(), strict=True):
            yield JsonRow(time_ns, series, encode(dict(zip(channels, values, strict=True))))
