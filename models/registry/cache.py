"""Copies of bundles from remote registries on this machine, and what aliases were last known to name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from models.bundle import Bundle, load_bundle
from models.bundle.layout import MANIFEST, MAX_BYTES, MAX_MANIFEST_BYTES
from models.errors import BundleError, RegistryError, RegistryUnavailableError
from models.fields import integer, mapping
from models.registry.names import DIGEST
from models.registry.stores import Store

KEPT = 32
"""Bundles that stay in the cache; one that has not been opened for longer than the others goes first."""


def default_cache_directory(environment: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/reconstream/bundles``, below ``~/.cache`` without that variable (XDG Base Directory, 0.8)."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "reconstream" / "bundles"


class BundleCache:
    """A directory with one bundle for each digest; several processes may share it, and it may be emptied at any time.

    Args:
        directory: Made when something is put into it.
        kept: How many bundles stay.
    """

    def __init__(self, directory: Path, kept: int = KEPT) -> None:
        self._directory = directory
        self._kept = kept

    def find(self, digest: str) -> Bundle | None:
        """A copy whose checksums are right; None when there is none. A damaged one is removed."""
        path = self._directory / digest
        if not path.is_dir():
            return None
        try:
            bundle = load_bundle(path)
        except BundleError:
            bundle = None
        if bundle is None or bundle.digest != digest:
            shutil.rmtree(path, ignore_errors=True)
            return None
        os.utime(path)  # what was used lately stays longest
        return bundle

    def fetch(self, store: Store, folder: str, digest: str) -> Bundle:
        """The bundle in a folder of a store, from the cache or copied into it; verified before it is used.

        Args:
            store: Where it is.
            folder: Of the bundle.
            digest: That it must have.

        Raises:
            BundleError: what came is damaged, or is another bundle.
            RegistryUnavailableError: it cannot be read.
            RegistryError: the cache cannot be written.
        """
        found = self.find(digest)
        if found is not None:
            return found
        path = self._directory / digest
        temporary = self._directory / f".{digest[:12]}.{uuid.uuid4().hex[:12]}.tmp"
        try:
            temporary.mkdir(parents=True)
            _copy(store, folder, digest, temporary)
            load_bundle(temporary)
            try:
                temporary.rename(path)
            except OSError:
                if not path.is_dir():  # else another process was faster
                    raise
            self._forget_old(path)
        except OSError as error:
            raise RegistryError(
                f"{self._directory} cannot be written: {error.strerror or error}; name a directory for copies of "
                "remote bundles with registry.cache_directory"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return load_bundle(path)

    def remember(self, reference: str, digest: str) -> None:
        """Note what a reference named; a cache that cannot be written forgets it."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            temporary = self._directory / f".{uuid.uuid4().hex}.tmp"
            temporary.write_text(json.dumps({"reference": reference, "digest": digest}))
            temporary.replace(self._note_of(reference))
        except OSError:
            return

    def remembered(self, reference: str) -> str | None:
        """Digest of what a reference last named, as far as this machine knows."""
        try:
            found = json.loads(self._note_of(reference).read_bytes()[:4096])
        except (OSError, ValueError):
            return None
        digest = found.get("digest") if isinstance(found, dict) and found.get("reference") == reference else None
        return digest if isinstance(digest, str) and DIGEST.fullmatch(digest) else None

    def _note_of(self, reference: str) -> Path:
        return self._directory / f"{hashlib.sha256(reference.encode()).hexdigest()[:32]}.reference"

    def _forget_old(self, newest: Path) -> None:
        """Keep the bundles that were opened last."""
        bundles = [path for path in self._directory.iterdir() if DIGEST.fullmatch(path.name) and path != newest]
        for path in sorted(bundles, key=_opened_at, reverse=True)[self._kept - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


def _opened_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _copy(store: Store, folder: str, digest: str, target: Path) -> None:
    """Copy the files that the manifest lists, none larger than it says."""
    where = f"{store.address}/{folder}"
    manifest = store.read(f"{folder}/{MANIFEST}", MAX_MANIFEST_BYTES)
    if manifest is None:
        raise RegistryUnavailableError(f"{where}/{MANIFEST} is gone; push the bundle again")
    if hashlib.sha256(manifest).hexdigest() != digest:
        raise BundleError(
            f"{where}/{MANIFEST}: its checksum is not {digest[:12]}…, under which it is kept; the bundle is damaged or "
            "was tampered with: push it again from where it was trained"
        )
    (target / MANIFEST).write_bytes(manifest)
    try:
        listed = mapping(json.loads(manifest), "files")
        sizes = {name: integer(mapping(listed, name), "bytes") for name in listed}
    except (ValueError, KeyError, RecursionError, TypeError) as error:
        raise BundleError(f"{where}/{MANIFEST} cannot be read ({str(error)[:200]}); push the bundle again") from error
    for name, size in sizes.items():
        if name not in MAX_BYTES or not 0 <= size <= MAX_BYTES[name]:
            raise BundleError(
                f"{where}/{MANIFEST} lists {name[:100]!r} of {size:,} bytes, which is no part of a bundle"
            )
        data = store.read(f"{folder}/{name}", size)
        if data is None:
            raise BundleError(f"{where}/{name} is missing; push the bundle again from where it was trained")
        (target / name).write_bytes(data)
