"""The latest value of each key of a topic that is read from its beginning: in memory while it fits, else on disk.

A compacted topic holds several values of a key until the broker has compacted it, so a reader must wait for the last
one. What is staged is read once, in the order of the keys.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from pathlib import Path

import structlog

from detector.errors import LocalStoreError
from detector.series.local_file import as_blob, as_text, open_local_file, transaction

_log = structlog.get_logger(__name__)
_MEMORY_BYTES = 64 << 20
_PAGE_ROWS = 256
_ENTRY_BYTES = 64  # what a key costs besides its characters, about
_SCHEMA = "CREATE TABLE staged (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL)"


class Staging:
    """A mapping of texts to bytes that takes little memory, however much it holds.

    While the disk cannot be written, what is put in stays in memory.

    Args:
        directory: For the file, which is made only when it is needed; None keeps everything in memory.
        memory_bytes: Of values in memory before they go to the file.
    """

    def __init__(self, directory: Path | None, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._directory = directory
        self._memory_bytes = memory_bytes
        self._spill_at = memory_bytes
        self._connection: sqlite3.Connection | None = None
        # What the file does not hold yet; None stands for a key that was taken out.
        self._recent: dict[str, bytes | None] = {}
        self._recent_bytes = 0
        self._complained = False

    def put(self, key: str, value: bytes) -> None:
        """Set the value of a key."""
        self._note(key, value)

    def discard(self, key: str) -> None:
        """Take a key out, if it is there."""
        self._note(key, None)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Keys with their values, in the order of the keys; nothing may be put in meanwhile.

        Raises:
            LocalStoreError: the file cannot be read.
        """
        recent = sorted(self._recent.items())
        at = 0
        for key, value in self._stored():
            while at < len(recent) and recent[at][0] < key:
                if recent[at][1] is not None:
                    yield recent[at]  # type: ignore[misc]
                at += 1
            if at < len(recent) and recent[at][0] == key:
                continue
            yield key, value
        for new_key, new_value in recent[at:]:
            if new_value is not None:
                yield new_key, new_value

    def _note(self, key: str, value: bytes | None) -> None:
        if key not in self._recent:
            self._recent_bytes += _ENTRY_BYTES + len(key)
        self._recent_bytes += len(value or b"") - len(self._recent.get(key) or b"")
        self._recent[key] = value
        if self._directory is not None and self._recent_bytes >= self._spill_at:
            self._spill(self._directory)

    def _spill(self, directory: Path) -> None:
        try:
            if self._connection is None:
                self._connection = open_local_file(directory, _SCHEMA)
                weakref.finalize(self, self._connection.close)
            connection = self._connection
            with transaction(connection):
                connection.executemany(
                    "DELETE FROM staged WHERE key = ?", ((as_blob(key),) for key in self._recent)
                )  # fmt: skip
                connection.executemany(
                    "INSERT INTO staged VALUES (?, ?)",
                    ((as_blob(key), value) for key, value in self._recent.items() if value is not None),
                )
        except (OSError, sqlite3.Error) as error:
            self._spill_at = self._recent_bytes + self._memory_bytes
            if not self._complained:
                self._complained = True
                _log.warning(
                    "state is gathered in memory, since it cannot be put into a local file; see to "
                    "worker.state.directory",
                    directory=str(directory),
                    error=str(error),
                )
            return
        self._recent.clear()
        self._recent_bytes = 0
        self._spill_at = self._memory_bytes

    def _stored(self) -> Iterator[tuple[str, bytes]]:
        """Pages of the file, so that no more than one is in memory."""
        if self._connection is None:
            return
        last = b""
        compare = ">="
        while True:
            try:
                page = self._connection.execute(
                    f"SELECT key, value FROM staged WHERE key {compare} ? ORDER BY key LIMIT {_PAGE_ROWS}",  # noqa: S608
                    (last,),
                ).fetchall()
            except sqlite3.Error as error:
                raise LocalStoreError(
                    f"state that was put into a local file cannot be read back: {error}. Nothing is lost: start "
                    "again; check the disk of worker.state.directory first"
                ) from error
            for key, value in page:
                yield as_text(key), bytes(value)
            if len(page) < _PAGE_ROWS:
                return
            last, compare = page[-1][0], ">"
