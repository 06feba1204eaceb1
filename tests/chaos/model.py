"""A tiny trained bundle, made once and kept in ``.cache``: the faults must meet the true program, scoring included."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.workload import CHANNELS, PERIOD_SECONDS, healthy

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "chaos"
WINDOW = 8
_ROWS = 600


def tiny_bundle(folder: Path = CACHE) -> Path:
    """Directory of the bundle; trained by a process of its own, so that this one never loads TensorFlow."""
    # Whatever decides how it comes out, and its format: a bundle of another version would be refused.
    files = [Path(__file__), Path(__file__).with_name("workload.py"), *sorted((ROOT / "models").rglob("*.py"))]
    sources = b"".join(path.read_bytes() for path in files)
    path = folder / f"bundle-{hashlib.sha256(sources).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _train(path)
    return path


def _train(path: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    made = subprocess.run(
        [sys.executable, "-m", "tests.chaos.model", str(path)],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode != 0:
        raise RuntimeError(f"the chaos test's model could not be trained: {made.stderr[-2000:]}")


def _make(path: Path) -> None:
    import numpy as np

    from models.bundle import write_bundle
    from models.calibration import CalibrationOptions
    from models.spec import ModelSpec
    from models.training import TrainOptions, train

    times = np.arange(_ROWS, dtype=np.int64) * PERIOD_SECONDS * 1_000_000_000
    data = {f"unit-{number:02}": (times, healthy(number, _ROWS)) for number in range(3)}
    spec = ModelSpec(channels=CHANNELS, window=WINDOW, period_seconds=PERIOD_SECONDS, units=8, latent=3)
    trained = train(data, spec, TrainOptions(epochs=6), calibration=CalibrationOptions(risk=0.002))
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        fresh = Path(room) / "bundle"
        write_bundle(fresh, trained, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        shutil.move(fresh, path)


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
