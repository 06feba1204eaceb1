"""A registry of models: immutable versions, and aliases that move between them.

Layout, the same on a directory and on an object store::

    registry.json                                  what this is
    NAME/versions/DIGEST/...                       the files of a bundle, as it was trained
    NAME/versions/DIGEST.json                      who pushed it, when and why; written last
    NAME/aliases/ALIAS/00000007.json               the alias's seventh move; the greatest number holds

A version is kept under its own digest, so pushing it twice changes nothing, and two that push at once do not meet. A
move of an alias is a new small file with the next number, put there whole and only if that number is not taken: it
happens at once for all readers, a second mover of the same moment is told, and what happened before stays readable.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from models.bundle import Bundle
from models.errors import AliasMovedError, RegistryError
from models.registry.aliases import AliasLog
from models.registry.cache import BundleCache
from models.registry.marker import check_marker, refuse_registry
from models.registry.names import DIGEST, SHORTEST_DIGEST, check_alias, check_name, digits_of
from models.registry.records import MAX_BY, MAX_NOTE, Move, Version
from models.registry.stores import DirectoryStore, Store, open_store
from models.registry.versions import VersionShelf


def open_registry(address: str) -> Registry:
    """The registry at an address: a directory, or any address that fsspec knows.

    Raises:
        RegistryError: there is no such kind of address.
    """
    return Registry(open_store(address))


class Registry:
    """Bundles by name and version, and aliases.

    Args:
        store: Where the files are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = VersionShelf(store)
        self._log = AliasLog(store)
        self._known = False

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return self._store.address

    @property
    def is_remote(self) -> bool:
        """Whether bundles are copied to this machine before they are used."""
        return not isinstance(self._store, DirectoryStore)

    # -- reading
    # ---------------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Names of the models, sorted.

        Raises:
            RegistryError: there is no registry, or it cannot be read.
        """
        self._check()
        return self._shelf.names()

    def versions(self, name: str) -> list[Version]:
        """Versions of a model, in the order in which they were pushed.

        Raises:
            RegistryError: no such model, or it cannot be read.
        """
        self._check()
        return self._shelf.all(name)

    def aliases(self, name: str) -> dict[str, Move]:
        """The last move of each alias of a model that names something.

        Raises:
            RegistryError: no such registry, or it cannot be read.
        """
        self._check()
        moves = {alias: self._log.last(name, alias) for alias in self._log.aliases(name)}
        return {alias: move for alias, move in moves.items() if move is not None and move.digest is not None}

    def known_aliases(self, name: str) -> list[str]:
        """Every alias that a model ever had.

        Raises:
            RegistryError: no such model, or it cannot be read.
        """
        self._check()
        self._shelf.digests(name)
        return self._log.aliases(name)

    def current(self, name: str, alias: str) -> Move | None:
        """The last move of an alias; None when it never named anything. A removed one has no digest.

        Raises:
            RegistryError: no such registry, or it cannot be read.
        """
        self._check()
        move = self._log.last(name, alias)
        if move is None:
            # A file system that is not mounted looks empty; that is no answer.
            check_marker(self._store)
        return move

    def moves(self, name: str, alias: str) -> list[Move]:
        """All moves of an alias, the first one first.

        Raises:
            RegistryError: no such registry, or it cannot be read.
        """
        self._check()
        return [self._log.read(name, alias, number) for number in self._log.numbers(name, alias)]

    def version(self, name: str, wanted: str) -> Version:
        """The version that an alias, a version's text or at least eight digits of a digest name.

        Raises:
            RegistryError: there is none, or there are several.
        """
        self._check()
        digits = digits_of(wanted)
        if digits is None:
            return self._aliased(name, wanted)
        found = self._shelf.all(name, digits)
        if len(found) > 1:
            raise RegistryError(f"{self._where(name)} has {len(found)} versions that begin with {digits}; write more")
        if not found or (len(wanted) > len(digits) and found[0].version != wanted):
            raise RegistryError(
                f"{self._where(name)} has no version {wanted}; see: detector models list {self.address}"
            )
        return found[0]

    def holder(self, digest: str) -> str | None:
        """Name of the model that has a bundle of this digest; None when none has.

        Raises:
            RegistryError: no such registry, or it cannot be read.
        """
        if not DIGEST.fullmatch(digest):
            return None
        return next((name for name in self.names() if self._shelf.record(name, digest) is not None), None)

    def bundle(self, name: str, digest: str, cache: BundleCache) -> Bundle:
        """A version's bundle, on this machine, with its checksums verified.

        Args:
            name: Of the model.
            digest: Of the version.
            cache: For copies; not used for a registry that is a directory, which holds them in place.

        Raises:
            BundleError: it is damaged.
            RegistryError: it cannot be read.
        """
        return self._shelf.bundle(name, digest, cache)

    # -- writing
    # ---------------------------------------------------------------------------------------------------------

    def push(self, name: str, bundle: Bundle, now: datetime, by: str = "", note: str = "") -> Version:
        """Put a bundle in as a version. One that is there already keeps its record.

        Args:
            name: Of the model; made with its first version.
            bundle: Verified.
            now: Aware time, to note down.
            by: Who.
            note: Why.

        Raises:
            RegistryError: the name cannot be one, or something else, or a registry, is at that address.
            BundleError: a file of the bundle changed since it was opened.
        """
        check_name(name)
        refuse_registry(self._store, name)
        self._check(create=True)
        return self._shelf.put(
            bundle,
            Version(name, bundle.digest, bundle.version, bundle.created_at, _moment(now), by[:MAX_BY], note[:MAX_NOTE]),
        )

    def move(
        self,
        name: str,
        alias: str,
        version: Version | None,
        now: datetime,
        by: str = "",
        note: str = "",
        expected: str | None = None,
    ) -> Move:
        """Let an alias name another version, for all readers at once.

        Args:
            name: Of the model.
            alias: Made with its first move.
            version: What it names from now on; None removes it.
            now: Aware time, to note down.
            by: Who.
            note: Why.
            expected: Digest that it must name until now, so that a decision is not carried out on another state.

        Returns:
            The move; the one before it, when the alias names this version already.

        Raises:
            AliasMovedError: it names something else than expected, or another one moved it at this moment.
            RegistryError: the name cannot be one, or the registry cannot be written.
        """
        check_alias(alias)
        last = self.current(name, alias)
        digest = None if version is None else version.digest
        named = None if last is None else last.digest
        if expected is not None and named != expected:
            found = "nothing" if last is None or named is None else f"{last.version}, moved by {last.by or 'somebody'}"
            raise AliasMovedError(
                f"{alias} of {self._where(name)} names {found}, not {expected[:SHORTEST_DIGEST]}…; look at it again"
            )
        if last is not None and named == digest:
            return last
        if last is None and version is None:
            raise RegistryError(f"{self._where(name)} has no alias {alias}; there is nothing to remove")
        number = 1 if last is None else last.number + 1
        move = Move(
            alias, number, digest, "" if version is None else version.version, _moment(now), by[:MAX_BY],
            note[:MAX_NOTE], uuid.uuid4().hex,
        )  # fmt: skip
        if not self._log.add(name, move):
            raise AliasMovedError(
                f"somebody else moved {alias} of {self._where(name)} at this moment; look at it, and move it again if "
                "that is still right"
            )
        return move

    # -- one step each
    # ---------------------------------------------------------------------------------------------------

    def _check(self, create: bool = False) -> None:
        if not self._known:
            check_marker(self._store, create)
            self._known = True

    def _aliased(self, name: str, alias: str) -> Version:
        move = self.current(name, alias)
        if move is None or move.digest is None:
            self._shelf.digests(name)  # says so if there is not even the model
            have = ", ".join(self.aliases(name)) or "none yet"
            raise RegistryError(
                f"{self._where(name)} has neither an alias nor a version {alias!r}; its aliases: {have}; its versions: "
                f"detector models list {self.address}"
            )
        record = self._shelf.record(name, move.digest)
        if record is None:
            raise RegistryError(
                f"{alias} of {self._where(name)} names {move.version}, which is not there; push it again, or move the "
                "alias"
            )
        return record

    def _where(self, name: str) -> str:
        return f"{self.address}/{name}"


def _moment(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds")
