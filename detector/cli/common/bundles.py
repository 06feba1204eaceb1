"""From what settings and commands name to a bundle whose files are verified."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from detector.errors import BundleError, ConfigError, RegistryUnavailableError
from detector.model_address import ModelPlace, RegistryReference, model_place
from detector.settings import RegistrySettings, StreamSettings
from models.bundle import Bundle, load_bundle
from models.bundle.layout import MANIFEST
from models.errors import AliasMovedError, RegistryError
from models.errors import BundleError as DamagedBundleError
from models.errors import RegistryUnavailableError as RegistryOutOfReachError
from models.registry import BundleCache, Registry, default_cache_directory, open_registry

_log = structlog.get_logger(__name__)


@contextmanager
def model_errors() -> Iterator[None]:
    """Turn errors of bundles and registries into those that commands end with.

    Raises:
        BundleError: a bundle, or its entry in a registry, is missing or damaged.
        RegistryUnavailableError: a registry cannot be used now.
    """
    try:
        yield
    except (RegistryOutOfReachError, AliasMovedError) as error:
        raise RegistryUnavailableError(str(error)) from error
    except (DamagedBundleError, RegistryError) as error:
        raise BundleError(str(error)) from error


def place_of(text: str, option: str) -> ModelPlace:
    """A bundle's directory or a registry reference, as an option or an argument gives it.

    Raises:
        ConfigError: it is meant as a reference and is none.
    """
    try:
        return model_place(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error


@dataclass(frozen=True, slots=True)
class Named:
    """What a reference names now.

    Attributes:
        digest: Of the bundle; None: nothing, the alias was removed or never set.
        move: Number of the alias's move; 0 for a version, which never moves.
    """

    digest: str | None
    move: int = 0


class BundleSource:
    """Opens bundles, from directories and registries.

    Args:
        settings: Where copies of remote bundles are kept.
        environment: For the default of that.
    """

    def __init__(self, settings: RegistrySettings | None = None, environment: Mapping[str, str] | None = None) -> None:
        directory = None if settings is None else settings.cache_directory
        env = os.environ if environment is None else environment
        self._cache = BundleCache(default_cache_directory(env) if directory is None else directory)
        self._registries: dict[str, Registry] = {}

    def registry(self, address: str) -> Registry:
        """The registry at an address, opened once.

        Raises:
            BundleError: there is no such kind of address.
        """
        if address not in self._registries:
            with model_errors():
                self._registries[address] = open_registry(address)
        return self._registries[address]

    def open(self, place: ModelPlace) -> Bundle:
        """A bundle, verified.

        Where a remote registry cannot be asked what an alias names, the bundle that it last named is used, if there is
        a copy of it: an outage of the registry must not keep a worker from starting again.

        Raises:
            BundleError: it is missing, damaged or of another version.
            RegistryUnavailableError: the registry cannot be read, and nothing is known of the alias.
        """
        if isinstance(place, Path):
            with model_errors():
                return load_bundle(place)
        registry = self.registry(place.registry)
        try:
            with model_errors():
                digest = registry.version(place.name, place.wanted).digest
        except RegistryUnavailableError as error:
            known = self._cache.remembered(str(place)) if registry.is_remote else None
            bundle = None if known is None else self._cache.find(known)
            if bundle is None:
                raise
            _log.warning(
                "the registry cannot be reached; using the bundle that it named last",
                reference=str(place), model=bundle.version, reason=str(error),
            )  # fmt: skip
            return bundle
        return self.fetch(place, digest)

    def mark(self, place: ModelPlace) -> object:
        """Something that is another thing once a place names another bundle; no file of a bundle is read for it.

        None where that cannot be told now, since a registry is out of reach or a directory is gone: `open` says more.

        Raises:
            BundleError: the registry is damaged, or has no such version.
        """
        try:
            if isinstance(place, RegistryReference):
                return self.named(place)
            found = (place / MANIFEST).stat()
        except (RegistryUnavailableError, OSError):
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def named(self, reference: RegistryReference) -> Named:
        """What a reference names now.

        Raises:
            BundleError: the registry is damaged, or has no such version.
            RegistryUnavailableError: the registry cannot be read.
        """
        registry = self.registry(reference.registry)
        with model_errors():
            if _is_version(reference):
                return Named(registry.version(reference.name, reference.wanted).digest)
            move = registry.current(reference.name, reference.wanted)
        return Named(None) if move is None else Named(move.digest, move.number)

    def fetch(self, reference: RegistryReference, digest: str) -> Bundle:
        """A version's bundle, on this machine and verified.

        Raises:
            BundleError: it is missing or damaged.
            RegistryUnavailableError: the registry cannot be read.
        """
        registry = self.registry(reference.registry)
        with model_errors():
            bundle = registry.bundle(reference.name, digest, self._cache)
        if registry.is_remote:
            self._cache.remember(str(reference), digest)
        return bundle

    def by_digest(self, digest: str, registries: Sequence[str]) -> Bundle | None:
        """A bundle of any model in some registries; None when none of them has it.

        Raises:
            BundleError: it is damaged, or an address is no registry.
            RegistryUnavailableError: a registry cannot be read.
        """
        for address in dict.fromkeys(registries):
            registry = self.registry(address)
            with model_errors():
                name = registry.holder(digest)
                if name is not None:
                    return registry.bundle(name, digest, self._cache)
        return None


def registries_of(streams: Sequence[StreamSettings]) -> list[str]:
    """Addresses of the registries that streams name."""
    places = [stream.model for stream in streams]
    places += [stream.shadow.model for stream in streams if stream.shadow is not None]
    return list(dict.fromkeys(place.registry for place in places if isinstance(place, RegistryReference)))


def follows_alias(place: ModelPlace) -> bool:
    """Whether what is named may change without anybody touching this machine."""
    return isinstance(place, RegistryReference) and not _is_version(place)


def _is_version(reference: RegistryReference) -> bool:
    from models.registry.names import digits_of

    return digits_of(reference.wanted) is not None
