"""A bundle once more, with another calibration: the same weights, scaler and score, byte for byte."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

from models.bundle.layout import MANIFEST
from models.bundle.reading import Bundle
from models.bundle.writing import write_whole
from models.calibration import Calibration
from models.errors import BundleError
from models.habits import Habits


def write_recalibrated(
    path: Path, bundle: Bundle, calibration: Calibration, habits: Habits, created_at: datetime, force: bool = False
) -> str:
    """Write a bundle that differs from another one in its calibration and habits alone.

    Args:
        path: Its directory.
        bundle: The other one; its files are verified once more.
        calibration: Takes the place of the other one's.
        habits: Likewise.
        created_at: Aware time, for people.
        force: Replace a bundle that is there.

    Returns:
        The new bundle's digest.

    Raises:
        BundleError: something is there that is not replaced, the bundle cannot be written, or the other one changed
            meanwhile.
    """
    try:
        raw = (bundle.path / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"{bundle.path / MANIFEST} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(raw).hexdigest() != bundle.digest:
        raise BundleError(f"{bundle.path} was changed while it was in use; start again")
    manifest = json.loads(raw) | {
        "created_at": created_at.isoformat(timespec="seconds"),
        "calibration": calibration.to_dict(),
        "habits": habits.to_dict(),
    }
    return write_whole(path, {name: bundle.read(name) for name in bundle.files}, manifest, force)
