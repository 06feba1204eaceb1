"""Events of a replay, to a file."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from detector.errors import ConfigError


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
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            self._file = self._temporary.open("xb")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror or error}; check the directory") from error

    def write(self, lines: Iterable[bytes]) -> None:
        """Add documents."""
        self._file.writelines(line + b"\n" for line in lines)

    def close(self) -> None:
        """Complete the file and give it its name."""
        self._file.close()
        self._temporary.replace(self._path)

    def discard(self) -> None:
        """Throw away what was written."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
