"""The files of a registry in a directory of this machine, which may be a mounted file system."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from models.errors import RegistryUnavailableError

# Hard links are what makes a new name appear whole and only once; some file systems have none.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}
_TEMPORARY = ".tmp"


class DirectoryStore:
    """A directory of this machine, or of a network file system.

    Args:
        root: The directory; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """See `Store`."""
        return str(self.root)

    def read(self, path: str, most: int) -> bytes | None:
        """See `Store`."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unavailable("read", path, error) from error

    def write(self, path: str, data: bytes) -> None:
        """See `Store`."""
        self._put(path, data, _replace)

    def create(self, path: str, data: bytes) -> bool:
        """See `Store`."""
        return self._put(path, data, _link)

    def list(self, path: str) -> list[str]:
        """See `Store`."""
        try:
            return sorted(entry.name for entry in (self.root / path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unavailable("read", path, error) from error

    def _put(self, path: str, data: bytes, into_place: Callable[[Path, Path], bool]) -> bool:
        target = self.root / path
        # Beside everything else: a leftover must not lie in a bundle's directory, which may hold nothing strange.
        temporary = self.root / _TEMPORARY / uuid.uuid4().hex
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.parent.mkdir(exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                done = into_place(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_directory(target.parent)
        except OSError as error:
            raise self._unavailable("written", path, error) from error
        return done

    def _unavailable(self, what: str, path: str, error: OSError) -> RegistryUnavailableError:
        return RegistryUnavailableError(
            f"{self.root / path} cannot be {what}: {error.strerror or error}; check the directory, its permissions and "
            "the disk"
        )


def _replace(temporary: Path, target: Path) -> bool:
    temporary.replace(target)
    return True


def _link(temporary: Path, target: Path) -> bool:
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Two movers at the very same moment are not told apart here; one of them wins as a whole.
        return not target.exists() and _replace(temporary, target)
    return True


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
