"""Series that are not in memory: a file of SQLite that holds their snapshots, and what a look over all of them asks.

Rows that came back to memory are only noted as gone, and deleted together, with the next rows that are written. So a
series comes back without a write, even on a disk that is full.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from detector.errors import LocalStoreError
from detector.series.local_file import as_blob, as_text, open_local_file, transaction

_INT64 = (-(1 << 63), (1 << 63) - 1)
_FLUSH_GONE = 1024
_SCHEMA = """
CREATE TABLE series (
    name BLOB NOT NULL PRIMARY KEY, seen_ns INTEGER NOT NULL, kind INTEGER NOT NULL, open_rows INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX by_age ON series (kind, seen_ns);
"""


class ColdKind(IntEnum):
    """What is known of a series; see `SeriesStore.state`."""

    STRANGER = 0
    WARMING_UP = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class ColdHead:
    """A series without its snapshot.

    Attributes:
        series: Name.
        seen_ns: Greatest event time accepted; of a stranger, the watermark when it was refused.
        kind: What is known of it.
        open_rows: Rows under assembly.
    """

    series: str
    seen_ns: int
    kind: ColdKind
    open_rows: int = 0


class ColdSeries:
    """The evicted series of one partition.

    Args:
        directory: Where the file is put.

    Raises:
        OSError: no file can be made there.
        sqlite3.Error: it cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._connection = open_local_file(directory, _SCHEMA)
        # Closes when this object goes, whoever let go of it: partitions are dropped in many ways.
        self._close = weakref.finalize(self, self._connection.close)
        self._rows = 0
        self._kinds = dict.fromkeys(ColdKind, 0)  # of the rows, those noted as gone included
        self._gone: dict[str, ColdHead] = {}
        self._flush_at = _FLUSH_GONE

    def __len__(self) -> int:
        return self._rows - len(self._gone)

    def __contains__(self, series: object) -> bool:
        return isinstance(series, str) and self.find(series) is not None

    def __iter__(self) -> Iterator[str]:
        """All names, in their own order."""
        for (name,) in self._query("SELECT name FROM series ORDER BY name"):
            series = as_text(name)
            if series not in self._gone:
                yield series

    def find(self, series: str) -> ColdHead | None:
        """What is known of a series, or None.

        Raises:
            LocalStoreError: as every method that reads: the file cannot be read.
        """
        if not self._rows or series in self._gone:
            return None
        for seen_ns, kind, open_rows in self._query(
            "SELECT seen_ns, kind, open_rows FROM series WHERE name = ?", (as_blob(series),)
        ):
            return ColdHead(series, seen_ns, ColdKind(kind), open_rows)
        return None

    def get(self, series: str) -> bytes | None:
        """The snapshot of a series, or None."""
        if not self._rows or series in self._gone:
            return None
        for (data,) in self._query("SELECT data FROM series WHERE name = ?", (as_blob(series),)):
            return bytes(data)
        return None

    def discard(self, series: str) -> ColdHead | None:
        """Forget a series; returns what was known of it, or None."""
        head = self.find(series)
        if head is not None:
            self._let_go([head])
        return head

    def silent(self, before_ns: int) -> list[ColdHead]:
        """Series last seen before a time, in no order."""
        found = self._query(
            "SELECT name, seen_ns, kind, open_rows FROM series WHERE kind IN (0, 1, 2) AND seen_ns < ?",
            (_int64(before_ns),),
        )
        heads = [
            ColdHead(as_text(name), seen_ns, ColdKind(kind), open_rows) for name, seen_ns, kind, open_rows in found
        ]
        return [head for head in heads if head.series not in self._gone]

    def last_times(self) -> Iterator[tuple[str, int]]:
        """Greatest event time accepted of every series that has one, in no order."""
        for name, seen_ns in self._query("SELECT name, seen_ns FROM series WHERE kind IN (1, 2)"):
            series = as_text(name)
            if series not in self._gone:
                yield series, seen_ns

    def count(self, stale_before_ns: int) -> dict[ColdKind, tuple[int, int]]:
        """Number of series by kind: all of them, and those that were last seen before a time."""
        found = {}
        for kind in ColdKind:
            ((stale,),) = self._query(
                "SELECT count(*) FROM series WHERE kind = ? AND seen_ns < ?", (kind.value, _int64(stale_before_ns))
            )
            gone = [head.seen_ns < stale_before_ns for head in self._gone.values() if head.kind is kind]
            found[kind] = (self._kinds[kind] - len(gone), stale - sum(gone))
        return found

    def put(self, entries: Sequence[tuple[ColdHead, bytes]]) -> None:
        """Take series in with their snapshots, all of them or none.

        Raises:
            OSError, sqlite3.Error: the disk is full or the like; everything is as before.
        """
        self._write(entries)

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        ((pages,),) = self._query("PRAGMA page_count")
        ((page_bytes,),) = self._query("PRAGMA page_size")
        return int(pages) * int(page_bytes)

    def close(self) -> None:
        """Give the file back to the disk; nothing else can be called after that."""
        self._close()

    def _let_go(self, heads: Sequence[ColdHead]) -> None:
        self._gone.update((head.series, head) for head in heads)
        if len(self._gone) >= self._flush_at:
            try:
                self._write([])
            except (OSError, sqlite3.Error):
                # They stay noted as gone, which costs memory only; tried again with the next rows.
                self._flush_at = 2 * len(self._gone)

    def _write(self, entries: Sequence[tuple[ColdHead, bytes]]) -> None:
        connection, gone = self._connection, self._gone
        rows = ((as_blob(head.series), head.seen_ns, head.kind.value, head.open_rows, data) for head, data in entries)
        with transaction(connection):
            connection.executemany("DELETE FROM series WHERE name = ?", ((as_blob(series),) for series in gone))
            connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", rows)
        self._rows += len(entries) - len(gone)
        for head in gone.values():
            self._kinds[head.kind] -= 1
        for head, _ in entries:
            self._kinds[head.kind] += 1
        gone.clear()
        self._flush_at = _FLUSH_GONE

    def _query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise LocalStoreError(
                f"series that were moved to a local file cannot be read back: {error}. Nothing is lost: start again, "
                "and they are restored from the state topic; check the disk of worker.state.directory first"
            ) from error


def _int64(value: int) -> int:
    return min(max(value, _INT64[0]), _INT64[1])
