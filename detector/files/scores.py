"""Scores to a file: Parquet, CSV or JSON Lines by its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from detector.errors import ConfigError
from detector.files.whole import WholeFile

_TIME: Final = pa.timestamp("ns", tz="UTC")
SCHEMA: Final = pa.schema(
    [
        ("series", pa.string()),
        ("time", _TIME),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)
_TEXT_SCHEMA: Final = SCHEMA.set(1, pa.field("time", pa.string()))
# Small appends are gathered: a Parquet row group a poll would make the file large and slow to read.
_ROWS_PER_WRITE: Final = 65_536


class _Sink(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _ParquetSink:
    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd")

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class _CsvSink:
    def __init__(self, file: BinaryIO) -> None:
        self._writer = pacsv.CSVWriter(file, _TEXT_SCHEMA, write_options=pacsv.WriteOptions(quoting_style="needed"))

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(_with_text_times(table))

    def close(self) -> None:
        self._writer.close()


class _JsonLinesSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encoder = msgspec.json.Encoder()

    def write(self, table: pa.Table) -> None:
        self._file.write(self._encoder.encode_lines(_with_text_times(table).to_pylist()))

    def close(self) -> None:
        self._file.flush()


_SINKS: Final[dict[str, type[_ParquetSink | _CsvSink | _JsonLinesSink]]] = {
    ".parquet": _ParquetSink,
    ".csv": _CsvSink,
    ".jsonl": _JsonLinesSink,
    ".ndjson": _JsonLinesSink,
}


def _with_text_times(table: pa.Table) -> pa.Table:
    """Times as ISO 8601 text in UTC: to the millisecond where that is exact for all, else to the nanosecond."""
    time_ns = table.column("time").cast(pa.int64()).to_numpy()
    unit: Final = "ns" if (time_ns % 1_000_000).any() else "ms"
    texts = np.datetime_as_string(time_ns.astype("datetime64[ns]"), unit=unit, casting="same_kind", timezone="naive")
    return table.set_column(1, "time", pa.array(np.char.add(texts, "Z")))


class ScoreWriter:
    """Writes rows of ``series, time, score, threshold, partition, offset``.

    The file appears under its name only when `close` succeeded; until then, and after an error, whatever was there
    before stays. As a context manager it discards the file when the block raises.

    Args:
        path: Ends in .parquet, .csv or .jsonl.

    Raises:
        ConfigError: another suffix, or the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        sink = _SINKS.get(path.suffix.lower())
        if sink is None:
            raise ConfigError(f"{path}: scores go to a file that ends in .parquet, .csv or .jsonl; rename it")
        self._file = WholeFile(path)
        self._sink: _Sink = sink(self._file.file)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._closed = False

    def append(
        self,
        series: Sequence[str],
        time_ns: npt.NDArray[np.int64],
        score: npt.NDArray[np.floating],
        threshold: float,
        partition: int,
        offset: npt.NDArray[np.int64],
    ) -> None:
        """Add rows.

        Args:
            series: Name of the series, one a row.
            time_ns: int64[rows], nanoseconds since the epoch, UTC.
            score: float[rows]; NaN (unknown) is written as null.
            threshold: Of all these rows.
            partition: Of all these rows.
            offset: int64[rows], of the record that completed the window.
        """
        rows = len(series)
        table = pa.table(
            [
                pa.array(series, pa.string()),
                pa.array(np.asarray(time_ns, np.int64)).cast(_TIME),
                # from_pandas: NaN becomes null.
                pa.array(np.asarray(score, np.float64), from_pandas=True),
                pa.array(np.full(rows, threshold)),
                pa.array(np.full(rows, partition, np.int32)),
                pa.array(np.asarray(offset, np.int64)),
            ],
            schema=SCHEMA,
        )
        self._pending.append(table)
        self._pending_rows += rows
        if self._pending_rows >= _ROWS_PER_WRITE:
            self._flush()

    def _flush(self) -> None:
        if self._pending_rows:
            self._sink.write(pa.concat_tables(self._pending).combine_chunks())
        self._pending.clear()
        self._pending_rows = 0

    def close(self) -> None:
        """Complete the file and give it its name; harmless when closed already.

        Raises:
            OSError: the disk is full, or the like; nothing appears under the name.
        """
        if self._closed:
            return
        try:
            self._flush()
            self._sink.close()
            self._file.complete()
        except BaseException:
            self.discard()
            raise
        self._closed = True

    def discard(self) -> None:
        """Throw away what was written; harmless when closed already."""
        if not self._closed:
            self._closed = True
            self._file.discard()

    def __enter__(self) -> ScoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def write_scores(path: Path) -> ScoreWriter:
    """A writer of scores; the suffix of ``path`` chooses the format.

    Raises:
        ConfigError: another suffix than .parquet, .csv and .jsonl, or the file cannot be created.
    """
    return ScoreWriter(path)
