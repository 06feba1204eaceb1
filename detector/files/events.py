"""Events of a replay, to a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.errors import ConfigError
from detector.files.whole import WholeFile


class LineWriter:
    """Writes one JSON document a line; the file appears under its name only when `close` succeeded.

    Args:
        path: Ends in .jsonl.

    Raises:
        ConfigError: another suffix, or the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() != ".jsonl":
            raise ConfigError(f"{path}: events are written to .jsonl, not to {path.suffix or 'no suffix'!r}")
        self._file = WholeFile(path)

    def write(self, lines: Iterable[bytes]) -> None:
        """Add documents."""
        self._file.file.writelines(line + b"\n" for line in lines)

    def close(self) -> None:
        """Complete the file and give it its name."""
        self._file.complete()

    def discard(self) -> None:
        """Throw away what was written."""
        self._file.discard()
