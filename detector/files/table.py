"""A file as rows of series: event time, name of the series, one float a channel."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detector.errors import ConfigError
from detector.files.columns import DEFAULT_IGNORE, Columns, choose_columns
from detector.files.formats import Format, open_format
from detector.files.times import to_time_ns


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive rows.

    Attributes:
        first_row: Index of the first one in the file, from 0.
        series: Name of the series, one a row.
        time_ns: int64[rows], nanoseconds since the epoch, UTC.
        values: float64[rows, channels]; NaN where a value is missing.
    """

    first_row: int
    series: list[str]
    time_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """An open file, of which nothing but the schema has been read. May be read again and again.

    Attributes:
        path: The file.
        columns: The parts that its columns play.
        series: Name of the series of all rows; unused with a series column.
        rows: Number of rows, or None when only reading to the end can tell.
    """

    path: Path
    columns: Columns
    series: str
    rows: int | None
    _format: Format

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the values."""
        return self.columns.channels

    def chunks(self, chunk_rows: int = 8192) -> Iterator[Chunk]:
        """All rows, in file order.

        Raises:
            ConfigError: the file is damaged, or a row lacks its time or its series.
        """
        first_row = 0
        for batch in self._format.batches(self.columns, chunk_rows):
            if batch.num_rows:
                yield self._chunk(batch, first_row)
                first_row += batch.num_rows

    def time_range_ns(self) -> tuple[int, int] | None:
        """Least and greatest event time, read from the time column alone; None without rows.

        Raises:
            ConfigError: as `chunks`.
        """
        low: int | None = None
        high: int | None = None
        for chunk in self.times_only().chunks():
            first, last = int(chunk.time_ns.min()), int(chunk.time_ns.max())
            low = first if low is None else min(low, first)
            high = last if high is None else max(high, last)
        return None if low is None or high is None else (low, high)

    def times_only(self) -> Table:
        """The same rows without series and channels, which is quicker to read."""
        return replace(self, columns=Columns(self.columns.time, None, ()))

    def digest(self) -> str:
        """SHA-256 of the file's bytes, hex: the identity that takes the place of a cluster's id."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _chunk(self, batch: pa.RecordBatch, first_row: int) -> Chunk:
        columns = self.columns
        values = np.empty((batch.num_rows, len(columns.channels)), dtype=np.float64)
        for index, channel in enumerate(columns.channels):
            values[:, index] = _floats(batch.column(channel))
        return Chunk(
            first_row,
            self._names(batch, first_row),
            to_time_ns(self.path, columns.time, batch.column(columns.time), first_row),
            values,
        )

    def _names(self, batch: pa.RecordBatch, first_row: int) -> list[str]:
        if self.columns.series is None:
            return [self.series] * batch.num_rows
        column = batch.column(self.columns.series)
        try:
            names: list[str | None] = pc.cast(column, pa.string()).to_pylist()
        except pa.ArrowException as error:
            raise ConfigError(
                f"{self.path}: the column {self.columns.series!r} (--series-column) holds no names: {column.type}"
            ) from error
        for index, name in enumerate(names):
            if not name:
                raise ConfigError(f"{self.path}, row {first_row + index + 1}: column {self.columns.series!r} is empty")
        return [name for name in names if name]


def open_table(
    path: Path,
    time_column: str | None = None,
    series_column: str | None = None,
    channels: Sequence[str] | None = None,
    series: str | None = None,
    ignore: Collection[str] = DEFAULT_IGNORE,
) -> Table:
    """Open a Parquet, CSV or JSON Lines file, by its suffix.

    Args:
        path: The file.
        time_column: Column of the event time; without it one called timestamp, time, ts, datetime or date is looked
            for, then the first that holds times.
        series_column: Column that names the series of a row; without it the file is one series.
        channels: Columns to read, in this order; without them all others that hold numbers.
        series: Name of the series of the whole file; without it the file's name without suffix.
        ignore: Columns never taken for channels unless named.

    Raises:
        ConfigError: the file cannot be read so; names the file, the column and the remedy.
    """
    if series is not None and series_column is not None:
        raise ConfigError(
            "give either one name for the series (--series) or a column of names (--series-column), not both"
        )
    opened = open_format(path)
    columns = choose_columns(path, opened.kinds, time_column, series_column, channels, ignore)
    return Table(path, columns, series or path.stem, opened.rows, opened)


def _floats(column: pa.Array) -> npt.NDArray[np.float64]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    floats: npt.NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return floats
