"""The small file that says that an address is a registry, and of which layout."""

from __future__ import annotations

import json
from typing import Final

from models.errors import RegistryError
from models.registry.records import MAX_RECORD_BYTES
from models.registry.stores import Store

MARKER: Final = "registry.json"
SCHEMA_VERSION: Final = 1


def refuse_registry(store: Store, name: str) -> None:
    """See that a model would not be put over a registry: ``REGISTRY`` where ``REGISTRY/NAME`` was meant.

    Args:
        store: Of the address that the name was cut from.
        name: Of the model.

    Raises:
        RegistryError: a registry is there.
    """
    if store.read(f"{name}/{MARKER}", MAX_RECORD_BYTES) is not None:
        where = f"{store.address}/{name}"
        raise RegistryError(f"{where} is a registry itself; name the model in it, too: {where}/NAME")


def check_marker(store: Store, create: bool = False) -> None:
    """See that a store is a registry that this program reads.

    Args:
        store: Any.
        create: Make it one if it is none.

    Raises:
        RegistryError: it is none, or of another layout.
    """
    data = store.read(MARKER, MAX_RECORD_BYTES)
    if data is None and create:
        marker = {"what": "registry of reconstream models", "schema_version": SCHEMA_VERSION}
        store.create(MARKER, json.dumps(marker).encode())
        data = store.read(MARKER, MAX_RECORD_BYTES)
    if data is None:
        raise RegistryError(
            f"there is no registry at {store.address}; correct the address, or begin one with: detector models push "
            f"BUNDLE {store.address}/NAME"
        )
    try:
        version = json.loads(data)["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RegistryError(f"{store.address}/{MARKER} is damaged; restore it from a backup") from error
    if version != SCHEMA_VERSION:
        raise RegistryError(
            f"{store.address} is a registry of schema version {version!r:.20}, this program reads {SCHEMA_VERSION}; "
            "use the release that wrote it"
        )
