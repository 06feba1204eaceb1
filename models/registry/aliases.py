"""The moves of aliases, as numbered files that are only ever added to."""

from __future__ import annotations

import re

from models.errors import RegistryError
from models.registry.names import NAME, check_alias, check_name
from models.registry.records import MAX_RECORD_BYTES, Move
from models.registry.stores import Store

_MOVE_FILE = re.compile(r"(\d{8,12})\.json")


class AliasLog:
    """Reads and adds moves.

    Args:
        store: Of the registry.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def aliases(self, name: str) -> list[str]:
        """Every alias that a model ever had, sorted."""
        return [alias for alias in self._store.list(f"{check_name(name)}/aliases") if NAME.fullmatch(alias)]

    def numbers(self, name: str, alias: str) -> list[int]:
        """Numbers of an alias's moves, ascending."""
        entries = self._store.list(f"{check_name(name)}/aliases/{check_alias(alias)}")
        return sorted(int(match[1]) for match in map(_MOVE_FILE.fullmatch, entries) if match is not None)

    def read(self, name: str, alias: str, number: int) -> Move:
        """One move.

        Raises:
            RegistryError: it is damaged.
        """
        path = _path(name, alias, number)
        data = self._store.read(path, MAX_RECORD_BYTES)
        if data is None:
            raise RegistryError(f"{self._store.address}/{path} was removed just now; try again")
        return Move.decode(data, alias, number, f"{self._store.address}/{path}")

    def last(self, name: str, alias: str) -> Move | None:
        """The move that holds; None when there never was one."""
        numbers = self.numbers(name, alias)
        return self.read(name, alias, numbers[-1]) if numbers else None

    def add(self, name: str, move: Move) -> bool:
        """Put a move in place; whether its number was free."""
        return self._store.create(_path(name, move.alias, move.number), move.encode())


def _path(name: str, alias: str, number: int) -> str:
    return f"{name}/aliases/{alias}/{number:08d}.json"
