"""What a registry notes down: a version that was pushed, and each move of an alias."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.errors import RegistryError, SpecError
from models.fields import integer, known_keys, text
from models.registry.names import DIGEST

MAX_RECORD_BYTES: Final = 64 << 10
MAX_NOTE: Final = 2000
MAX_BY: Final = 200


@dataclass(frozen=True, slots=True)
class Version:
    """A bundle in a registry. The record is written last: what has none is not there.

    Attributes:
        name: Of the model.
        digest: Of the bundle; what it is kept under.
        version: Short text for people, which ends with the first digits of the digest.
        created_at: When it was trained, ISO 8601.
        pushed_at: When it was put into the registry, ISO 8601.
        by: Who did.
        note: Why.
    """

    name: str
    digest: str
    version: str
    created_at: str
    pushed_at: str
    by: str
    note: str

    def encode(self) -> bytes:
        """As JSON."""
        return _encode({key: getattr(self, key) for key in _VERSION_KEYS})

    @classmethod
    def decode(cls, data: bytes, name: str, where: str) -> Version:
        """Read what `encode` wrote.

        Raises:
            RegistryError: it is damaged.
        """
        found = _decode(data, _VERSION_KEYS, where)
        try:
            record = cls(name, **{key: text(found, key) for key in _VERSION_KEYS})
            _checked(record.digest, record.pushed_at)
        except (SpecError, ValueError) as error:
            raise _damaged(where, error) from error
        return record


@dataclass(frozen=True, slots=True)
class Move:
    """One move of an alias; they are numbered from 1, and the last one holds.

    Attributes:
        alias: Which.
        number: Of the move, from 1.
        digest: Of the bundle that it names from now on; None: nothing, the alias was removed.
        version: The same for people; empty when it was removed.
        moved_at: ISO 8601.
        by: Who moved it.
        note: Why.
        mark: Random; tells two movers apart who write the same number at once.
    """

    alias: str
    number: int
    digest: str | None
    version: str
    moved_at: str
    by: str
    note: str
    mark: str

    def encode(self) -> bytes:
        """As JSON; a removal has an empty digest."""
        return _encode({key: getattr(self, key) for key in _MOVE_KEYS} | {"digest": self.digest or ""})

    @classmethod
    def decode(cls, data: bytes, alias: str, number: int, where: str) -> Move:
        """Read what `encode` wrote.

        Raises:
            RegistryError: it is damaged, or says that it is another one.
        """
        found = _decode(data, _MOVE_KEYS, where)
        try:
            texts = {key: text(found, key) for key in _MOVE_KEYS if key not in ("number", "digest")}
            move = cls(number=integer(found, "number"), digest=text(found, "digest") or None, **texts)
            _checked(move.digest, move.moved_at)
        except (SpecError, ValueError) as error:
            raise _damaged(where, error) from error
        if (move.alias, move.number) != (alias, number):
            raise _damaged(where, f"it is move {move.number} of {move.alias!r}")
        return move


_VERSION_KEYS = ("digest", "version", "created_at", "pushed_at", "by", "note")
_MOVE_KEYS = ("alias", "number", "digest", "version", "moved_at", "by", "note", "mark")


def _encode(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, indent=1).encode()


def _decode(data: bytes, keys: tuple[str, ...], where: str) -> Mapping[str, object]:
    if len(data) > MAX_RECORD_BYTES:
        raise _damaged(where, f"it is larger than {MAX_RECORD_BYTES:,} bytes")
    try:
        found = json.loads(data)
        if isinstance(found, dict):
            known_keys(found, set(keys), "record")
            return found
    except (ValueError, RecursionError) as error:
        raise _damaged(where, error) from error
    raise _damaged(where, "it is not an object")


def _checked(digest: str | None, moment: str) -> None:
    if digest is not None and not DIGEST.fullmatch(digest):
        raise ValueError("its digest is not a SHA-256")
    datetime.fromisoformat(moment)


def _damaged(where: str, what: object) -> RegistryError:
    return RegistryError(
        f"{where} is damaged: {str(what)[:300]}; restore it from a backup, or remove it and push or move again"
    )
