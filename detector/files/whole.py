"""Files that appear under their name as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from detector.errors import ConfigError


class WholeFile:
    """A file that is written under another name, in the same directory, and takes its own when it is complete.

    Until then, and after an error, whatever was there before stays. As a context manager it completes the file, or
    discards it when the block raises.

    In a directory that others may write to nobody can have the output land elsewhere: the other name is not to be
    guessed and is created exclusively (``O_EXCL``, which follows no link), and a link under the file's own name is
    replaced rather than followed.

    Args:
        path: What the file shall be called.

    Attributes:
        file: To write to.

    Raises:
        ConfigError: the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # In the same directory, since only within a file system a rename is atomic.
        self._temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            self.file: Final[BinaryIO] = self._temporary.open("xb")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror or error}; check the directory") from error
        self._closed = False

    def complete(self) -> None:
        """Give the file its name, once it is on the disk; harmless when closed already.

        Raises:
            OSError: the disk is full, or the like; nothing appears under the name.
        """
        if self._closed:
            return
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self._temporary.replace(self._path)
        except BaseException:
            self.discard()
            raise
        self._closed = True

    def discard(self) -> None:
        """Throw away what was written; harmless when closed already."""
        if not self._closed:
            self._closed = True
            self.file.close()
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> BinaryIO:
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.complete()
        else:
            self.discard()
