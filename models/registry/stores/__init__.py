"""Where a registry's files are: a directory of this machine, or anything that fsspec speaks to.

Four operations are enough: files appear whole or not at all, and one that must not be there yet is created only if it
is not. Nothing is ever changed in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from models.registry.stores.directory import DirectoryStore
from models.registry.stores.remote import RemoteStore

__all__ = ["DirectoryStore", "RemoteStore", "Store", "open_store"]


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
