"""The files of a registry on an object store, or anything else that fsspec speaks to."""

from __future__ import annotations

import re
from typing import Any

from models.errors import RegistryError, RegistryUnavailableError

# Schemes of stores that know buckets and keys, and no folders that would have to be made.
_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "obs"}


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
