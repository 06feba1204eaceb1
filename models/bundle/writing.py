"""Writing bundles: all of it under a temporary name, then one rename."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle.layout import (
    GOLDEN_INPUT,
    GOLDEN_OUTPUT,
    KERAS,
    MANIFEST,
    MAX_BYTES,
    ONNX,
    SCHEMA_VERSION,
    TRAINING,
    FileRecord,
)
from models.bundle.reading import load_bundle
from models.errors import BundleError
from models.formats.keras_archive import check_keras_file
from models.formats.onnx_graph import check_onnx_file
from models.golden import TOLERANCE, golden_outputs, joined
from models.runtimes import runtime_of
from models.runtimes.batches import KERAS_SIZES
from models.runtimes.keras import keras_graph
from models.runtimes.onnx import onnx_graph

if TYPE_CHECKING:
    from models.training.trained import TrainedModel

_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "numpy")


def write_bundle(path: Path, trained: TrainedModel, created_at: datetime, force: bool = False) -> str:
    """Write a bundle so that it is there as a whole or not at all.

    Args:
        path: Its directory, which must not exist yet.
        trained: From `models.training.train`.
        created_at: Aware time, for people.
        force: Replace a bundle that is there. Anything else is never replaced, whatever this says.

    Returns:
        The bundle's digest.

    Raises:
        BundleError: something is there that is not replaced, or the bundle cannot be written.
    """
    check_target(path, force)
    reference = runtime_of(keras_graph(trained.model), KERAS_SIZES, trained.renewal)
    outputs = golden_outputs(reference, trained.golden)
    contents = _contents(trained, outputs)
    # An architecture with a layer that readers refuse is found here, where the model can still be changed.
    check_keras_file(contents[KERAS], path / KERAS)
    check_onnx_file(contents[ONNX], path / ONNX)
    served = runtime_of(onnx_graph(trained.onnx, trained.spec, str(path / ONNX)), renewal=trained.renewal)
    difference = float(np.abs(joined(golden_outputs(served, trained.golden)) - joined(outputs)).max())
    if not difference <= TOLERANCE:  # also when it is NaN
        raise BundleError(
            f"{path}: ONNX Runtime differs from Keras by {difference:.2g} on the golden sample, more than"
            f" {TOLERANCE:g}: the trained model amplifies differences of rounding, so its scores would depend on what"
            " computes them; train it with a shorter window or a lower learning rate (seq2seq: with --option sampling"
            " other than none)"
        )
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "created_at": created_at.isoformat(timespec="seconds"),
        "spec": trained.spec.to_dict(),
        "outputs": {name: list(tensor.shape[1:]) for name, tensor in outputs.items()},
        "renewal": None if trained.renewal is None else trained.renewal.to_dict(),
        "scaler": trained.scaler.to_dict(),
        "score": trained.rule.to_dict(),
        "calibration": trained.calibration.to_dict(),
        "warm_up": trained.warm_up,
        "habits": trained.habits.to_dict(),
        "reference": trained.reference.to_dict(),
        "training_data": trained.training_data,
        "libraries": _libraries(),
        "files": {
            name: {"sha256": record.sha256, "bytes": record.size_bytes}
            for name, record in ((name, FileRecord.of(data)) for name, data in contents.items())
        },
    }
    return write_whole(path, contents, manifest, force)


def write_whole(path: Path, contents: Mapping[str, bytes], manifest: Mapping[str, object], force: bool) -> str:
    """Write the files of a bundle, verify them, and put them in place in one step.

    Args:
        path: The bundle's directory.
        contents: Files by name.
        manifest: What the manifest says, checksums included.
        force: Replace a bundle that is there.

    Returns:
        The bundle's digest.

    Raises:
        BundleError: something is there that is not replaced, or the bundle cannot be written.
    """
    check_target(path, force)
    # In the same directory, since only within a file system a rename is atomic.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        for name, data in contents.items():
            _write(temporary / name, data)
        _write(temporary / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())
        digest = load_bundle(temporary).digest
        _put_in_place(temporary, path)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written: {error.strerror or error}; check the directory and the disk"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return digest


def check_target(path: Path, force: bool) -> None:
    """See that a bundle may be written somewhere.

    Replacing removes the directory with all that is in it: a mistyped path must not cost anyone their files.

    Raises:
        BundleError: something is there that is not replaced, or nothing can be written there.
    """
    if path.is_symlink():
        raise BundleError(f"{path} is a symbolic link and is not replaced; name the directory that it should lead to")
    if not path.exists():
        above = next(parent for parent in path.absolute().parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise BundleError(
                f"{path} cannot be written: {above} is not a directory that this user may write to; name another place"
            )
        return
    if not force:
        raise BundleError(f"{path} exists already; choose another name, or replace it on purpose with --force")
    if not path.is_dir() or {entry.name for entry in path.iterdir()} - {MANIFEST, *MAX_BYTES}:
        raise BundleError(f"{path} holds other files than a bundle's and is not replaced; choose another name")


def _contents(trained: TrainedModel, outputs: dict[str, Any]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / KERAS
        trained.model.save(path)
        return {
            KERAS: path.read_bytes(),
            ONNX: trained.onnx,
            GOLDEN_INPUT: _npy(trained.golden),
            GOLDEN_OUTPUT: _npy(joined(outputs)),
            TRAINING: json.dumps(trained.history.to_dict(), indent=1).encode(),
        }


def _npy(array: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(temporary: Path, path: Path) -> None:
    """A directory cannot be replaced in one step; the old one steps aside first and is removed last."""
    if not path.exists():
        temporary.rename(path)
        return
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.old")
    path.rename(aside)
    try:
        temporary.rename(path)
    except OSError:
        aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _libraries() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # tensorflow and tensorflow-cpu stand in for each other
            continue
    return found
