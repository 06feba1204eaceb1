"""Looking into a ``.keras`` file before Keras does: which members it has, and what they would unfold to."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
import zlib
from typing import Final

from models.formats.keras_config import check_config
from models.formats.keras_weights import check_weights
from models.formats.refusal import refused

_MIB: Final = 1 << 20
MEMBERS: Final = {"metadata.json": _MIB, "config.json": 4 * _MIB, "model.weights.h5": 512 * _MIB}
"""The members of a ``.keras`` file, all of which must be there, with the most bytes that each unfolds to."""

_MAX_RATIO: Final = 100
"""Deflate shrinks real configurations to a tenth, weights hardly at all; a bomb by a thousand."""
_FREE_BYTES: Final = 64 * 1024
"""Below this the ratio says nothing: a short text of one letter is no bomb."""
_ENCRYPTED: Final = 0x1
# What zipfile raises for archives that are cut off, contradict themselves or have members that cannot be unfolded.
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, RuntimeError, LookupError),
    *(TypeError, OverflowError),
)


def check_keras_file(data: bytes, where: object) -> None:
    """Check that a ``.keras`` file holds nothing but a model of this product: members, configuration and weights.

    Args:
        data: Of the file.
        where: Its name, for messages.

    Raises:
        BundleError: it holds something else; the message says what.
        ModelsError: Keras, and with it HDF5, is not installed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive, where)
            for name in archive.namelist():
                if archive.getinfo(name).file_size > MEMBERS[name]:
                    raise refused(where, f"{name} unfolds to more than {MEMBERS[name]:,} bytes")
            config = archive.read("config.json")
            weights = archive.read("model.weights.h5")
    except _DAMAGE as error:
        raise refused(where, f"it is no sound zip archive ({error})") from error
    try:
        parsed = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise refused(where, f"its config.json is not JSON ({str(error)[:100]})") from error
    check_config(parsed, where)
    check_weights(weights, where)


def _check_members(archive: zipfile.ZipFile, where: object) -> None:
    entries = archive.infolist()
    if len(entries) > 100:
        raise refused(where, f"it has {len(entries):,} members")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/"):
            raise refused(where, f"its member {name[:60]!r} leads out of the archive")
        if name not in MEMBERS:
            raise refused(where, f"it has a member {name[:60]!r}")
        if name in seen:
            raise refused(where, f"it has two members {name!r}")
        seen.add(name)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise refused(where, f"its member {name!r} is a link or another special file")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused(where, f"its member {name!r} is encrypted or compressed in an unusual way")
        if entry.file_size > max(_FREE_BYTES, entry.compress_size * _MAX_RATIO):
            raise refused(
                where, f"its member {name!r} unfolds from {entry.compress_size:,} to {entry.file_size:,} bytes"
            )
    if missing := sorted(set(MEMBERS) - seen):
        raise refused(where, f"it lacks the member {missing[0]!r}")
