"""Readers of Parquet, CSV and JSON Lines: the same record batches whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from detector.errors import ConfigError
from detector.files.columns import Columns, Kind
from detector.files.jsonlines import JsonLinesFormat

_SNIFFED_BYTES = 65_536
_CSV_BLOCK_BYTES = 1 << 20
_DELIMITERS = ",;\t"
_READ_ERRORS = (pa.ArrowInvalid, pa.ArrowException, OSError, ValueError)


class Format(Protocol):
    """One open file.

    Attributes:
        kinds: Its columns, in order.
        rows: Their length, or None when only reading to the end can tell.
    """

    kinds: Mapping[str, Kind]
    rows: int | None

    def batches(self, columns: Columns, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The chosen columns in file order; channels as numbers, the time and the series as they are stored.

        Args:
            columns: What to read.
            batch_rows: About so many rows a batch.

        Raises:
            ConfigError: the file is damaged or a value does not fit its column.
        """


def open_format(path: Path) -> Format:
    """Open a file by its suffix.

    Raises:
        ConfigError: missing, unreadable, empty or of a kind that is not known.
    """
    if not path.is_file():
        what = "is a directory, not a file" if path.is_dir() else "does not exist"
        raise ConfigError(f"{path}: {what}; name a .parquet, .csv or .jsonl file")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return ParquetFormat(path)
    if suffix == ".csv":
        return CsvFormat(path)
    if suffix in (".jsonl", ".ndjson"):
        return JsonLinesFormat(path)
    raise ConfigError(f"{path}: files of kind {suffix or 'no suffix'!r} cannot be read; use .parquet, .csv or .jsonl")


class ParquetFormat:
    """A Parquet file; its schema and its number of rows are known without reading it.

    Raises:
        ConfigError: not a Parquet file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                schema = file.schema_arrow
                self.rows: int | None = file.metadata.num_rows
        except _READ_ERRORS as error:
            raise ConfigError(f"{path}: not a readable Parquet file: {_first_line(error)}") from error
        self.kinds: Mapping[str, Kind] = kinds_of(path, schema)

    def batches(self, columns: Columns, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See `Format`."""
        try:
            with pq.ParquetFile(self._path) as file:
                yield from file.iter_batches(batch_size=batch_rows, columns=_names(columns))
        except _READ_ERRORS as error:
            raise ConfigError(f"{self._path}: the file is damaged: {_first_line(error)}") from error


class CsvFormat:
    """A CSV file with a header line; comma, semicolon or tab, whichever the header has most of.

    The kinds of columns are inferred from the first megabyte. Channels are then read as floating point throughout, so
    that a column of integers may turn to fractions later; the time column is read as text and parsed as in records.

    Raises:
        ConfigError: empty, or not a CSV file.
    """

    rows: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        header = _header(path)
        self._delimiter = max(_DELIMITERS, key=header.count)
        try:
            with self._open(pacsv.ConvertOptions()) as reader:
                schema = reader.schema
        except _READ_ERRORS as error:
            raise ConfigError(f"{path}: not a readable CSV file: {_first_line(error)}") from error
        self.kinds: Mapping[str, Kind] = kinds_of(path, schema)

    def _open(self, convert: pacsv.ConvertOptions) -> pacsv.CSVStreamingReader:
        return pacsv.open_csv(
            self._path,
            read_options=pacsv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=self._delimiter),
            convert_options=convert,
        )

    def batches(self, columns: Columns, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See `Format`."""
        types = dict.fromkeys(columns.channels, pa.float64()) | {columns.time: pa.string()}
        if columns.series is not None:
            types[columns.series] = pa.string()
        convert = pacsv.ConvertOptions(
            column_types=types, include_columns=_names(columns), strings_can_be_null=True, null_values=["", *_NULLS]
        )
        try:
            with self._open(convert) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, batch_rows):
                        yield batch.slice(start, batch_rows)
        except _READ_ERRORS as error:
            raise ConfigError(
                f"{self._path}: {_first_line(error)}. Repair the file, or name the columns to read with --channels"
            ) from error


_NULLS = ("NA", "N/A", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "#N/A")


def _header(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not head.strip():
        raise ConfigError(f"{path}: the file is empty; it needs a header line and a line for each row")
    return head.splitlines()[0].decode("utf-8", "replace")


def kinds_of(path: Path, schema: pa.Schema) -> dict[str, Kind]:
    """What each column holds.

    Raises:
        ConfigError: two columns have the same name.
    """
    names = list(schema.names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"{path}: several columns are called {', '.join(map(repr, repeated))}; names must differ")
    return {field.name: _kind(field.type) for field in schema}


def _kind(kind: pa.DataType) -> Kind:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Kind.NUMBER
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Kind.TIME
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return Kind.TEXT
    return Kind.EMPTY if pa.types.is_null(kind) else Kind.OTHER


def _names(columns: Columns) -> list[str]:
    return list(dict.fromkeys([columns.time, *([columns.series] if columns.series else []), *columns.channels]))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
