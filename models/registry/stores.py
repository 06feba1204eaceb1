"""Where a registry's files are: a directory of this machine, or anything that fsspec speaks to.

Four operations are enough: files appear whole or not at all, and one that must not be there yet is created only if it
is not. Nothing is ever changed in place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from models.errors import RegistryError, RegistryUnavailableError

# Hard links are what makes a new name appear whole and only once; some file systems have none.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}
_TEMPORARY = ".tmp"
# Schemes of stores that know buckets and keys, and no folders that would have to be made.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "obs"}


class Store(Protocol):
    """Files by path; a path is names joined by ``/``, all of which were checked."""

    @property
    def address(self) -> str:
        """Where it is, for messages; without a password."""

    def read(self, path: str, most: int) -> bytes | None:
        """Up to one byte more than ``most`` of a file; None when there is none.

        Raises:
            RegistryUnavailableError: it cannot be read.
        """

    def write(self, path: str, data: bytes) -> None:
        """Put a file in place as a whole, over one that may be there.

        Raises:
            RegistryUnavailableError: it cannot be written.
        """

    def create(self, path: str, data: bytes) -> bool:
        """Put a file in place as a whole, unless there is one; whether it was put there.

        Raises:
            RegistryUnavailableError: it cannot be written.
        """

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; none when there is no such folder.

        Raises:
            RegistryUnavailableError: it cannot be read.
        """


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


class RemoteStore:
    """Anything that fsspec speaks to: S3, Google Cloud Storage, Azure, SFTP, memory and many more.

    An object store puts an object in place as a whole. Where it knows of conditional writes, and its fsspec package
    too, `create` is exclusive; elsewhere the object is read back, which finds most of two writers at once.

    Args:
        address: With its scheme.

    Raises:
        RegistryError: there is no such scheme, or the package for it is not installed.
    """

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs

        self._shown = re.sub(r"//[^/]*@", "//", address.rstrip("/"))
        try:
            self._files: Any
            self._files, root = url_to_fs(address)
        except ImportError as error:  # fsspec's own text names the package
            raise RegistryError(f"{self._shown} needs a package that is not installed: {error}") from error
        except ValueError as error:
            raise RegistryError(f"{self._shown} is not an address that fsspec knows: {error}") from error
        except Exception as error:  # constructors of file systems may already connect
            raise self._unavailable("opened", "", error) from error
        self._root = str(root).rstrip("/")
        protocol = self._files.protocol
        self._has_buckets = not _BUCKETS.isdisjoint([protocol] if isinstance(protocol, str) else protocol)

    @property
    def address(self) -> str:
        """See `Store`."""
        return self._shown

    def read(self, path: str, most: int) -> bytes | None:
        """See `Store`."""
        try:
            return bytes(self._files.cat_file(self._full(path), start=0, end=most + 1))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # every package of fsspec's raises errors of its own
            raise self._unavailable("read", path, error) from error

    def write(self, path: str, data: bytes) -> None:
        """See `Store`."""
        try:
            self._pipe(self._full(path), data)
        except Exception as error:
            raise self._unavailable("written", path, error) from error

    def create(self, path: str, data: bytes) -> bool:
        """See `Store`."""
        try:
            self._pipe(self._full(path), data, mode="create")
        except FileExistsError:
            return False
        except Exception as error:
            raise self._unavailable("written", path, error) from error
        return self.read(path, len(data)) == data

    def list(self, path: str) -> list[str]:
        """See `Store`."""
        try:
            # What was listed a moment ago is remembered by many file systems; others write meanwhile.
            self._files.invalidate_cache()
            entries = self._files.ls(self._full(path), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            raise self._unavailable("read", path, error) from error
        return sorted(str(entry).rstrip("/").rpartition("/")[2] for entry in entries)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _pipe(self, full: str, data: bytes, **options: str) -> None:
        try:
            self._files.pipe_file(full, data, **options)
        except FileNotFoundError:
            if self._has_buckets:
                raise  # what is missing is the bucket, and a mistyped address must not make one
            self._files.makedirs(full.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(full, data, **options)

    def _unavailable(self, what: str, path: str, error: Exception) -> RegistryUnavailableError:
        place = f"{self._shown}/{path}" if path else self._shown
        return RegistryUnavailableError(
            f"{place} cannot be {what} ({type(error).__name__}: {str(error)[:300]}); check the address, the login that "
            "the machine has for it, and the network"
        )


def open_store(address: str) -> Store:
    """The store at an address: a path, ``registry://PATH``, ``file://PATH``, or any other that fsspec knows.

    Raises:
        RegistryError: there is no such scheme, or the package for it is not installed.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return DirectoryStore(Path(address))
    if scheme in ("registry", "file"):
        return DirectoryStore(Path(rest))
    return RemoteStore(address)


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
