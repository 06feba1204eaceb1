"""The files of a bundle: no others than the known ones, each a plain file with the content that the manifest says."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from models.bundle.layout import MANIFEST, MAX_BYTES, RETIRED_SUFFIXES, FileRecord
from models.errors import BundleError
from models.fields import integer, mapping, text

_SHA256 = re.compile(r"[0-9a-f]{64}")


def listed_files(path: Path, listed: Mapping[str, object]) -> dict[str, FileRecord]:
    """What the manifest lists: exactly the known files, so that no name can lead anywhere else."""
    if odd := sorted(set(listed) - set(MAX_BYTES)):
        raise damaged(path, MANIFEST, f"it lists {odd[0]!r}, which is no part of a bundle")
    if missing := sorted(set(MAX_BYTES) - set(listed)):
        raise damaged(path, MANIFEST, f"it does not list {missing[0]}")
    found = {}
    for name in listed:
        entry = mapping(listed, name)
        record = FileRecord(text(entry, "sha256"), integer(entry, "bytes"))
        if not _SHA256.fullmatch(record.sha256):
            raise damaged(path, MANIFEST, f"the checksum of {name} is not a SHA-256")
        if not 0 <= record.size_bytes <= MAX_BYTES[name]:
            raise damaged(
                path, MANIFEST, f"{name} has {record.size_bytes:,} bytes; at most {MAX_BYTES[name]:,} are allowed"
            )
        found[name] = record
    return found


def check_directory(path: Path) -> None:
    """See that a directory holds nothing but what belongs to a bundle.

    Raises:
        BundleError: it does; the message names the first such file.
    """
    for entry in sorted(path.iterdir()):
        if entry.name == MANIFEST or entry.name in MAX_BYTES:
            continue
        if entry.suffix.lower() in RETIRED_SUFFIXES:
            raise BundleError(
                f"{entry}: files of this kind can run code when they are loaded and are never opened; remove it,"
                " and train again if it is the model"
            )
        raise BundleError(f"{entry} is no part of the bundle; remove it, or copy the bundle again")


def read_checked(path: Path, name: str, record: FileRecord) -> bytes:
    """Content of a file, if it is what the manifest says.

    Args:
        path: The bundle's directory.
        name: Of the file.
        record: What the manifest says of it.

    Raises:
        BundleError: it is not, or it cannot be read.
    """
    data = read_file(path, name, record.size_bytes)
    if len(data) != record.size_bytes:
        size = (path / name).stat().st_size
        raise damaged(path, name, f"it has {size:,} bytes instead of {record.size_bytes:,}")
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise damaged(path, name, "its checksum differs from the manifest's")
    return data


def read_file(path: Path, name: str, most: int) -> bytes:
    """Up to one byte more than ``most`` of a file, which must be one: no link out of the bundle, no device, no pipe."""
    file = path / name
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise damaged(path, name, "it is not a regular file")
            return stream.read(most + 1)
    except FileNotFoundError as error:
        raise damaged(path, name, "it is missing") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise damaged(path, name, "it is a symbolic link; a bundle holds its files itself") from error
        raise BundleError(f"{file} cannot be read: {error.strerror or error}; check its permissions") from error


def damaged(path: Path, name: str, what: str) -> BundleError:
    """The error for a file that is not as it was written, with the remedy.

    Args:
        path: The bundle's directory.
        name: Of the file.
        what: What is wrong with it, as a clause.
    """
    return BundleError(
        f"{path / name}: {what}; the bundle is damaged or was tampered with: copy it again from where it was trained,"
        " or train anew"
    )
