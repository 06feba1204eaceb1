from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from models.bundle import golden_difference, load_bundle, open_runtime, write_recalibrated
from models.errors import BundleError

pytestmark = pytest.mark.keras
LATER = datetime(2026, 2, 3, tzinfo=UTC)


def test_only_calibration_habits_and_time_differ(tiny_bundle, tmp_path):
    record = {"from_model": tiny_bundle.digest, "verdicts": [{"subject_id": "a"}]}
    calibration = replace(tiny_bundle.calibration, method="feedback", threshold=7.5, feedback=record)
    habits = tiny_bundle.habits.loosened(99.0, {"a": {0: 7}, "c": {1: 5}})
    digest = write_recalibrated(tmp_path / "new", tiny_bundle, calibration, habits, LATER)
    new = load_bundle(tmp_path / "new")
    assert (new.digest, new.calibration, new.created_at) == (digest, calibration, LATER.isoformat())
    assert digest != tiny_bundle.digest
    assert (new.habits.gap_seconds, new.habits.series) == (99.0, ("a", "b", "c"))
    assert new.habits.longest_runs == ((7, 1, None), (1, 1, None), (1, 5, None))
    assert new.files == tiny_bundle.files
    one, other = (json.loads((bundle.path / "manifest.json").read_text()) for bundle in (tiny_bundle, new))
    assert {name for name in one if one[name] != other[name]} == {"calibration", "created_at", "habits"}
    assert golden_difference(new, open_runtime(new, "onnx")) < 1e-4


def test_a_bundle_is_not_replaced_unless_that_is_wanted(copied, tiny_bundle):
    with pytest.raises(BundleError, match="exists already; choose another name"):
        write_recalibrated(copied, tiny_bundle, tiny_bundle.calibration, tiny_bundle.habits, LATER)
    calibration = replace(tiny_bundle.calibration, threshold=3.0)
    write_recalibrated(copied, tiny_bundle, calibration, tiny_bundle.habits, LATER, force=True)
    assert load_bundle(copied).calibration.threshold == 3.0


def test_a_bundle_that_changed_meanwhile_is_refused(copied, tmp_path):
    bundle = load_bundle(copied)
    (copied / "manifest.json").write_bytes((copied / "manifest.json").read_bytes() + b" ")
    with pytest.raises(BundleError, match="was changed while it was in use; start again"):
        write_recalibrated(tmp_path / "new", bundle, bundle.calibration, bundle.habits, LATER)
