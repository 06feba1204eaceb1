"""A bundle's files to another directory, as they were verified."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from models.bundle.layout import MANIFEST
from models.bundle.reading import Bundle, load_bundle
from models.errors import BundleError


def copy_bundle(bundle: Bundle, path: Path) -> Bundle:
    """Copy a bundle so that it is there as a whole or not at all.

    Args:
        bundle: Verified.
        path: Its new directory, which must not exist yet.

    Raises:
        BundleError: something is there already, or it cannot be written, or a file changed since it was verified.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(f"{path} exists already; choose another directory, or remove it")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name in bundle.files:
            (temporary / name).write_bytes(bundle.read(name))
        (temporary / MANIFEST).write_bytes((bundle.path / MANIFEST).read_bytes())
        copied = load_bundle(temporary)
        if copied.digest != bundle.digest:
            raise BundleError(f"{bundle.path} changed while it was copied; copy it again")
        temporary.rename(path)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written: {error.strerror or error}; check the directory and the disk"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return load_bundle(path)
