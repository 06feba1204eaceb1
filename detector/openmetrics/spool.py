"""What a replay came to, by metric, labels and step, in a local file until all of it is known.

OpenMetrics wants all samples of a label set together and in the order of time; a replay tells of all series at once,
and partition by partition. Memory is bounded, whatever the length of the replay.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from detector.errors import ConfigError
from detector.series.local_file import as_blob, as_text, open_local_file, transaction

# Changes of an incident that was there before the first step.
BEFORE: Final = -(2**63)
_KNOWN_IDS = 50_000
_SCHEMA = """
CREATE TABLE streams (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
CREATE TABLE steps (stream INTEGER NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (stream, step)) WITHOUT ROWID;
CREATE TABLE label_sets (
    id INTEGER PRIMARY KEY, family BLOB NOT NULL, stream INTEGER NOT NULL, labels BLOB NOT NULL,
    UNIQUE (family, stream, labels)
);
CREATE TABLE greatest (
    label_set INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (label_set, step)
) WITHOUT ROWID;
CREATE TABLE changes (
    label_set INTEGER NOT NULL, step INTEGER NOT NULL, at REAL NOT NULL, behind REAL NOT NULL,
    PRIMARY KEY (label_set, step)
) WITHOUT ROWID;
"""


class Spool:
    """Greatest values and running sums by label set and step.

    Steps of a stream are those that anything was noted for; `running` goes over them all, so that a value lasts
    for as long as its stream goes on, and a single record with a wrong time adds one step, not all up to it.

    Args:
        directory: Of the local file.

    Raises:
        ConfigError: here and everywhere: the file cannot be made, written or read.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir())
        self._streams: dict[str, int] = {}
        self._ids: dict[tuple[str, int, str], int] = {}
        with self._problems():
            self._connection = open_local_file(self._directory, _SCHEMA)

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"the samples for --openmetrics are gathered in a local file in {self._directory}, which cannot be "
                f"used: {error}. Make room there, name another directory in TMPDIR, or raise --openmetrics-step"
            ) from error

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """What is noted inside is written together."""
        with self._problems(), transaction(self._connection):
            yield

    def stream(self, name: str) -> int:
        """The number of a stream."""
        if name not in self._streams:
            found = self._connection.execute("INSERT INTO streams (name) VALUES (?)", (as_blob(name),)).lastrowid
            self._streams[name] = int(found or 0)
        return self._streams[name]

    def streams(self) -> list[tuple[int, str]]:
        """Numbers and names, by name."""
        return sorted(((number, name) for name, number in self._streams.items()), key=lambda item: item[1])

    def label_set(self, family: str, stream: int, labels: str) -> int:
        """The number of a label set of a family."""
        key = family, stream, labels
        known = self._ids.get(key)
        if known is not None:
            return known
        values = as_blob(family), stream, as_blob(labels)
        self._connection.execute("INSERT OR IGNORE INTO label_sets (family, stream, labels) VALUES (?, ?, ?)", values)
        (found,) = self._connection.execute(
            "SELECT id FROM label_sets WHERE family = ? AND stream = ? AND labels = ?", values
        ).fetchone()
        if len(self._ids) >= _KNOWN_IDS:
            self._ids.clear()
        self._ids[key] = found
        return int(found)

    def note_steps(self, stream: int, steps: Iterable[int]) -> None:
        """The stream went on in these steps."""
        self._connection.executemany("INSERT OR IGNORE INTO steps VALUES (?, ?)", ((stream, step) for step in steps))

    def note_greatest(self, rows: Iterable[tuple[int, int, float]]) -> None:
        """Label set, step and value, of which the greatest counts."""
        self._connection.executemany(
            "INSERT INTO greatest VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            rows,
        )  # fmt: skip

    def note_changes(self, rows: Iterable[tuple[int, int, float, float]]) -> None:
        """Label set, step, and by how much its running sum changes with this step and behind it."""
        self._connection.executemany(
            "INSERT INTO changes VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET at = at + excluded.at, behind = behind + excluded.behind",
            rows,
        )  # fmt: skip

    def label_sets(self, family: str, stream: int) -> Iterator[tuple[int, str]]:
        """Numbers and labels of a family's label sets of a stream, in the order of the labels."""
        for number, labels in self._rows(
            "SELECT id, labels FROM label_sets WHERE family = ? AND stream = ? ORDER BY labels",
            as_blob(family), stream,
        ):  # fmt: skip
            yield number, as_text(labels)

    def greatest(self, label_set: int) -> Iterator[tuple[int, float]]:
        """Steps with values, in order."""
        yield from self._rows("SELECT step, value FROM greatest WHERE label_set = ? ORDER BY step", label_set)

    def running(self, stream: int, label_set: int) -> Iterator[tuple[int, float]]:
        """Every step of the stream, in order, with the sum of the changes up to there."""
        before = self._rows("SELECT at, behind FROM changes WHERE label_set = ? AND step = ?", label_set, BEFORE)
        total = sum((at + behind for at, behind in before), 0.0)
        for step, at, behind in self._rows(
            "SELECT steps.step, changes.at, changes.behind FROM steps "
            "LEFT JOIN changes ON changes.label_set = ? AND changes.step = steps.step "
            "WHERE steps.stream = ? ORDER BY steps.step",
            label_set, stream,
        ):  # fmt: skip
            yield step, total + (at or 0.0)
            total += (at or 0.0) + (behind or 0.0)

    def _rows(self, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        with self._problems():
            yield from self._connection.execute(statement, values)

    def close(self) -> None:
        """Give the file's room back."""
        self._connection.close()
