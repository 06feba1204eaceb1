"""The versions of models, each kept under the digest of its bundle."""

from __future__ import annotations

import re

from models.bundle import Bundle, load_bundle
from models.bundle.layout import MANIFEST
from models.errors import BundleError, RegistryError
from models.registry.cache import BundleCache
from models.registry.names import DIGEST, NAME, check_name
from models.registry.records import MAX_RECORD_BYTES, Version
from models.registry.stores import DirectoryStore, Store

_RECORD_FILE = re.compile(r"([0-9a-f]{64})\.json")


class VersionShelf:
    """Reads and adds versions.

    Args:
        store: Of the registry.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> list[str]:
        """Models that have a version, sorted."""
        return [name for name in self._store.list("") if NAME.fullmatch(name) and self._store.list(f"{name}/versions")]

    def digests(self, name: str) -> list[str]:
        """Of a model's versions.

        Raises:
            RegistryError: there is no such model.
        """
        matches = [_RECORD_FILE.fullmatch(entry) for entry in self._store.list(f"{check_name(name)}/versions")]
        found = [match[1] for match in matches if match is not None]
        if not found:
            names = ", ".join(self.names()) or "none yet"
            raise RegistryError(f"{self._store.address} has no model {name!r}; it has: {names}")
        return found

    def record(self, name: str, digest: str) -> Version | None:
        """What was noted down of a version; None when there is no such version.

        Raises:
            RegistryError: it is damaged.
        """
        path = f"{check_name(name)}/versions/{digest}.json"
        data = self._store.read(path, MAX_RECORD_BYTES)
        if data is None:
            return None
        record = Version.decode(data, name, f"{self._store.address}/{path}")
        if record.digest != digest:
            raise RegistryError(
                f"{self._store.address}/{path} is the record of another version ({record.digest[:12]}…); remove it and "
                "push the bundle again"
            )
        return record

    def all(self, name: str, digits: str = "") -> list[Version]:
        """Versions of a model whose digest begins so, in the order in which they were pushed.

        Raises:
            RegistryError: there is no such model, or a record is damaged.
        """
        found = [self.record(name, digest) for digest in self.digests(name) if digest.startswith(digits)]
        return sorted(
            (record for record in found if record is not None), key=lambda each: (each.pushed_at, each.digest)
        )

    def put(self, bundle: Bundle, record: Version) -> Version:
        """Put a bundle in place, also over itself.

        Its files are then the same, so that one that was damaged is mended. The record comes last, and the first stays.

        Raises:
            BundleError: a file of the bundle changed since it was opened.
        """
        folder = f"{record.name}/versions/{record.digest}"
        for file in bundle.files:
            self._store.write(f"{folder}/{file}", bundle.read(file))
        self._store.write(f"{folder}/{MANIFEST}", (bundle.path / MANIFEST).read_bytes())
        there = self.record(record.name, record.digest)
        if there is None and not self._store.create(f"{folder}.json", record.encode()):
            there = self.record(record.name, record.digest)  # another one pushed the same bundle just now
        return there or record

    def bundle(self, name: str, digest: str, cache: BundleCache) -> Bundle:
        """See `models.registry.Registry.bundle`."""
        if not DIGEST.fullmatch(digest):
            raise RegistryError(f"{digest[:80]!r} is not a digest; it has 64 hexadecimal digits")
        folder = f"{check_name(name)}/versions/{digest}"
        if not isinstance(self._store, DirectoryStore):
            return cache.fetch(self._store, folder, digest)
        bundle = load_bundle(self._store.root / folder)
        if bundle.digest != digest:
            raise BundleError(
                f"{bundle.path} holds another bundle ({bundle.digest[:12]}…) than it is named for; versions never "
                "change: push both again"
            )
        return bundle
