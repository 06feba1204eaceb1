"""Which files a bundle holds, and how large each may be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

SCHEMA_VERSION: Final = 2
MANIFEST: Final = "manifest.json"
KERAS: Final = "model.keras"
ONNX: Final = "model.onnx"
GOLDEN_INPUT: Final = "golden_input.npy"
GOLDEN_OUTPUT: Final = "golden_output.npy"
TRAINING: Final = "training.json"

_MIB: Final = 1 << 20
MAX_MANIFEST_BYTES: Final = 64 * _MIB
MAX_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        KERAS: 512 * _MIB,
        ONNX: 512 * _MIB,
        GOLDEN_INPUT: 256 * _MIB,
        GOLDEN_OUTPUT: 256 * _MIB,
        TRAINING: 16 * _MIB,
    }
)
"""The files beside the manifest, all of which must be there, and nothing else may."""

RETIRED_SUFFIXES: Final = frozenset({".h5", ".hdf5", ".pkl", ".pickle", ".pb", ".npz"})
"""Older formats for models that can run code when they are loaded; refused by name."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the manifest says of a file."""

    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, data: bytes) -> FileRecord:
        """Record of a file's content."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))
