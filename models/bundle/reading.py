"""Reading bundles: names and sizes first, then checksums, and only then content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.bundle.files import check_directory, damaged, listed_files, read_checked, read_file
from models.bundle.layout import (
    GOLDEN_INPUT,
    GOLDEN_OUTPUT,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SCHEMA_VERSION,
    TRAINING,
    FileRecord,
)
from models.bundle.npy import read_npy
from models.calibration import Calibration
from models.chain import Chain
from models.errors import BundleError, SpecError
from models.fields import integer, known_keys, mapping, text
from models.golden import golden_width
from models.habits import Habits
from models.outputs import PARTS, PENALTY, RECONSTRUCTION
from models.reference import Reference
from models.renewal import Renewal
from models.runtimes import Runtime
from models.scaling import Scaler
from models.scores import ScoreRule
from models.spec import ModelSpec

Float32 = npt.NDArray[np.float32]
MAX_WARM_UP = 1_000_000
_KEYS = {
    "schema_version", "created_at", "spec", "outputs", "renewal", "scaler", "score", "calibration", "warm_up",
    "habits", "reference",
    "training_data", "libraries", "files",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose files all have the content that its manifest says.

    Attributes:
        path: Its directory.
        digest: SHA-256 of the manifest, hex; through the checksums in it, of everything.
        version: Short text for people.
        created_at: ISO 8601.
        spec: Architecture and shape.
        outputs: Shapes of what the model estimates, by name as in `models.outputs`, without the batch axis.
        renewal: When carried memory is given up; None: never, or the model carries none.
        scaler: From channel units to the model's.
        rule: From windows and what the model makes of them to scores.
        calibration: The threshold and where it comes from.
        warm_up: Samples on which a series that training never saw is measured before it is judged; 0: it is scaled as
            all together are.
        reference: What inputs and scores were like in training.
        habits: Cadence of the series it was trained on, and how long their channels rest.
        training_data: Which data it was trained on.
        libraries: Versions that trained it, by name.
        files: What the manifest says of each file.
    """

    path: Path
    digest: str
    version: str
    created_at: str
    spec: ModelSpec
    outputs: Mapping[str, tuple[int, ...]]
    renewal: Renewal | None
    scaler: Scaler
    rule: ScoreRule
    calibration: Calibration
    warm_up: int
    habits: Habits
    reference: Reference
    training_data: Mapping[str, object]
    libraries: Mapping[str, str]
    files: Mapping[str, FileRecord]

    def read(self, name: str) -> bytes:
        """Content of one of the files, verified once more: what is parsed is what was checked.

        Raises:
            BundleError: it cannot be read, or has changed.
        """
        return read_checked(self.path, name, self.files[name])

    def chain(self, runtime: Runtime) -> Chain:
        """All steps from a raw window to its score.

        Args:
            runtime: The model, as `models.bundle.open_runtime` opened it.
        """
        return Chain(self.scaler, runtime, self.rule, self.calibration.spot, self.warm_up)

    def golden(self) -> tuple[Float32, Float32]:
        """Inputs float32[n, window, channels] and all that Keras made of them, float32[n, width]; see `models.golden`.

        Raises:
            BundleError: they do not fit the model.
        """
        arrays = []
        row_shapes = {
            GOLDEN_INPUT: (self.spec.window, len(self.spec.channels)),
            GOLDEN_OUTPUT: (golden_width(self.outputs),),
        }
        for name, row_shape in row_shapes.items():
            try:
                arrays.append(read_npy(self.read(name), row_shape))
            except ValueError as error:
                raise damaged(self.path, name, str(error)) from error
        if len(arrays[0]) != len(arrays[1]):
            raise damaged(self.path, GOLDEN_OUTPUT, "it is not as long as the input")
        if len(arrays[0]) % 2:
            raise damaged(self.path, GOLDEN_INPUT, "it has no two halves")
        return arrays[0], arrays[1]

    def history(self) -> Mapping[str, object]:
        """The training's history, as plain values.

        Raises:
            BundleError: it is not an object.
        """
        try:
            found = json.loads(self.read(TRAINING))
        except (ValueError, RecursionError) as error:
            raise damaged(self.path, TRAINING, f"it is not JSON ({str(error)[:100]})") from error
        if not isinstance(found, dict):
            raise damaged(self.path, TRAINING, "it is not an object")
        return found


def short_version(architecture: str, created_at: str, digest: str) -> str:
    """What people call a bundle by: its architecture, the day on which it was made, and the start of its digest."""
    return f"{architecture}-{created_at[:10].replace('-', '')}-{digest[:8]}"


def load_bundle(path: Path) -> Bundle:
    """Open a bundle and verify every file in it, without parsing a model.

    Raises:
        BundleError: it is missing, damaged, tampered with or of another version; the message names the file and the
        remedy.
    """
    manifest_path = path / MANIFEST
    if not path.is_dir():
        raise BundleError(
            f"{path} is not a bundle: there is no such directory; write one with 'detector train --out {path}'"
        )
    if not manifest_path.is_file():
        raise BundleError(
            f"{path} is not a bundle: it has no {MANIFEST}; name the directory that 'detector train' wrote"
        )
    raw = read_file(path, MANIFEST, MAX_MANIFEST_BYTES)
    if len(raw) > MAX_MANIFEST_BYTES:
        raise damaged(path, MANIFEST, f"it is larger than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged(path, MANIFEST, f"it is not JSON ({str(error)[:100]})") from error
    if not isinstance(manifest, dict):
        raise damaged(path, MANIFEST, "it is not an object")
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{path}: the bundle has schema version {version!r}, this program reads {SCHEMA_VERSION}; train it"
            " again, or use the release that wrote it"
        )
    try:
        known_keys(manifest, _KEYS, "manifest")
        integer(manifest, "schema_version")
        files = listed_files(path, mapping(manifest, "files"))
        check_directory(path)
        for name, record in files.items():
            read_checked(path, name, record)
        spec = ModelSpec.from_dict(mapping(manifest, "spec"))
        outputs = _outputs(mapping(manifest, "outputs"), spec)
        renewal = None if manifest["renewal"] is None else Renewal.from_dict(mapping(manifest, "renewal"))
        scaler = Scaler.from_dict(mapping(manifest, "scaler"))
        rule = ScoreRule.from_dict(mapping(manifest, "score"))
        calibration = Calibration.from_dict(mapping(manifest, "calibration"))
        habits = Habits.from_dict(mapping(manifest, "habits"))
        reference = Reference.from_dict(mapping(manifest, "reference"))
        libraries = {name: str(value) for name, value in mapping(manifest, "libraries").items()}
        warm_up = integer(manifest, "warm_up")
        if not 0 <= warm_up <= MAX_WARM_UP:
            raise SpecError(f"warm_up is {warm_up}; it must be from 0 to {MAX_WARM_UP}")
        created_at, training_data = text(manifest, "created_at"), mapping(manifest, "training_data")
        datetime.fromisoformat(created_at)
    except (ValueError, KeyError, OverflowError) as error:  # SpecError is a ValueError
        raise damaged(path, MANIFEST, str(error)[:300]) from error
    channels = len(spec.channels)
    if scaler.centre.shape[1] != channels or rule.channels != channels:
        raise damaged(path, MANIFEST, f"scaler or score do not fit the model's {channels} channels")
    if len(reference.channels) != channels:
        raise damaged(path, MANIFEST, f"the reference does not fit the model's {channels} channels")
    if habits.series and habits.channels != channels:
        raise damaged(path, MANIFEST, f"habits do not fit the model's {channels} channels")
    digest = hashlib.sha256(raw).hexdigest()
    return Bundle(
        path=path,
        digest=digest,
        version=short_version(spec.architecture, created_at, digest),
        created_at=created_at,
        spec=spec,
        outputs=outputs,
        renewal=renewal,
        scaler=scaler,
        rule=rule,
        calibration=calibration,
        warm_up=warm_up,
        habits=habits,
        reference=reference,
        training_data=training_data,
        libraries=libraries,
        files=files,
    )


def _outputs(listed: Mapping[str, object], spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """What the manifest says that the model gives.

    Raises:
        SpecError: it is nothing that a model of this specification may give.
    """
    window, channels = spec.window, len(spec.channels)
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in listed.items():
        if not isinstance(shape, list) or not all(type(axis) is int for axis in shape):
            raise SpecError(f"the shape of the output {name[:60]!r} is no list of integers")
        found[name] = tuple(shape)
        rows = range(1, window + 1) if name in PARTS else ()
        if found[name] != () if name == PENALTY else found[name] not in [(count, channels) for count in rows]:
            raise SpecError(f"the output {name[:60]!r} of shape {str(shape)[:60]} does not fit the model")
    if found.get(RECONSTRUCTION) != (window, channels):
        raise SpecError(f"the model has no {RECONSTRUCTION} of shape {[window, channels]}")
    return found
