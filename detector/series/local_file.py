"""SQLite files that need not outlive the process: what is in them can be made anew from Kafka."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

_CACHE_KIB = 4096


def open_local_file(directory: Path, schema: str) -> sqlite3.Connection:
    """A new file, never synced, which on POSIX has no name any more: whatever ends the process, nothing is left behind.

    Args:
        directory: Where it takes up room.
        schema: Statements that make its tables.

    Raises:
        OSError: no file can be made there.
        sqlite3.Error: it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix="reconstream-", suffix=".sqlite", dir=directory)
    os.close(handle)
    connection = None
    try:
        # A pipeline may be dropped on another thread than the one that made it, never used by two at a time.
        connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        # The journal in memory lets a write that failed half-way be undone; nothing needs to survive the process.
        for pragma in (
            "page_size = 8192", "journal_mode = MEMORY", "synchronous = OFF", "locking_mode = EXCLUSIVE",
            "temp_store = MEMORY", f"cache_size = -{_CACHE_KIB}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(schema)
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    finally:
        # Windows keeps an open file's name; it is in the temporary directory then until that is cleaned.
        with contextlib.suppress(PermissionError):
            os.unlink(name)
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing of it."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def as_blob(text: str) -> bytes:
    """A text as SQLite keeps it whatever is in it, in the order of its code points."""
    return text.encode("utf-8", "surrogatepass")


def as_text(blob: bytes) -> str:
    """The text of `as_blob`."""
    return blob.decode("utf-8", "surrogatepass")
