"""Files as a source of records, for a replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.errors import ConfigError
from detector.files.table import Table
from detector.records.values import InputPartition, PlainRecord

_NS_PER_MS = 1_000_000


class FileSource:
    """Delivers rows as records for the decoder ``row``.

    A file is a topic of its own, with the one partition 0 and the file's name; the index of a row is its offset, the
    series its key. The value is ``(time_ns, values)``, with one float a channel and NaN for a missing one. Files follow
    each other, since no order between partitions is defined.

    Args:
        tables: The files.
        max_records: Most records a chunk.

    Raises:
        ConfigError: two files have the same name.
    """

    def __init__(self, tables: Sequence[Table], max_records: int = 5000) -> None:
        self._tables = {table.path.name: table for table in tables}
        self._max_records = max_records
        if len(self._tables) < len(tables):
            names = [table.path.name for table in tables]
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ConfigError(
                f"several files are called {', '.join(repeated)}; a name stands for a topic, so replay them one "
                "by one or rename them"
            )

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the files, in order."""
        return tuple(self._tables)

    @property
    def rows(self) -> int | None:
        """Number of records, or None when only reading can tell."""
        known = [table.rows for table in self._tables.values() if table.rows is not None]
        return sum(known) if len(known) == len(self._tables) else None

    def digest(self, topic: str) -> str:
        """SHA-256 of a file, hex, which stands for the cluster in the identity of its incidents.

        Raises:
            KeyError: it is none of `topics`.
        """
        return self._tables[topic].digest()

    def chunks(self) -> Iterator[tuple[InputPartition, list[PlainRecord]]]:
        """All records, one file after the other, in the order of their rows.

        Raises:
            ConfigError: a file is damaged, or a row lacks its time or its series.
        """
        for topic, table in self._tables.items():
            partition = InputPartition(topic, 0)
            keys: dict[str, bytes] = {}
            for chunk in table.chunks(self._max_records):
                records = [
                    PlainRecord(topic, 0, offset, time_ns // _NS_PER_MS, _key(keys, series), (time_ns, values))
                    for offset, (series, time_ns, values) in enumerate(
                        zip(chunk.series, chunk.time_ns.tolist(), chunk.values.tolist(), strict=True), chunk.first_row
                    )
                ]
                yield partition, records


def _key(keys: dict[str, bytes], series: str) -> bytes:
    """The encoded name; there are few and each comes often."""
    key = keys.get(series)
    if key is None:
        key = keys[series] = series.encode()
    return key
