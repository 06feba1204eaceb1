"""Nothing of what a worker uses reports to anybody: ONNX Runtime would, and would leave a device id."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import Detector

pytestmark = pytest.mark.keras


def test_a_model_that_is_opened_leaves_nothing_in_the_users_home(
    detector: Detector, bundle_dir: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    detector.environment.pop("ORT_DISABLE_TELEMETRY", None)
    detector.environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    result = detector.run("models", "verify", bundle_dir)
    assert result.returncode == 0, result.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
