"""``detector train --architecture auto``: a choice that is told, kept in the bundle and shown again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import Command

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("telemetry") / "data.csv"
    steps, noise = np.arange(1200), np.random.default_rng(0)
    wave = np.sin(steps / 9)
    values = np.stack([wave, 3 * wave + 5], axis=1) + noise.normal(scale=0.1, size=(1200, 2))
    rows = [f"{60 * step},{a:.6f},{b:.6f}" for step, (a, b) in enumerate(values.tolist())]
    path.write_text("\n".join(["time,cpu,memory", *rows]) + "\n")
    return path


def test_a_choice_within_a_budget_is_reported_and_kept(telemetry, tmp_path, command: Command) -> None:
    bundle = tmp_path / "bundle"
    automatic = ("train", str(telemetry), "--architecture", "auto", "--out", str(bundle))
    # No time for more than the first candidate, which is always tried.
    code, out, err = command(*automatic, "--budget", "0s", "--period", "none", "--alerts-per-week", "2")
    assert code == 0, err
    assert "trying autoregression for 2 epochs, seed 0" in err
    assert "chosen by trying: autoregression: reconstruction" in out
    assert "passed over  pca: out of time before 2 epochs with seed 0" in out
    assert "injected faults found at the threshold: correlation " in out
    selection = json.loads((bundle / "training.json").read_text())["selection"]
    assert selection["recipe"] in [row["recipe"] for row in selection["ranking"]]
    chosen = next(row for row in selection["ranking"] if row["recipe"] == selection["recipe"])
    assert set(chosen["by_kind"]) >= {"spike", "shift", "freeze"}
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["spec"]["architecture"] == selection["recipe"]["architecture"] == "autoregression"
    assert manifest["score"]["parts"][0]["kind"] == selection["recipe"]["score"]["kind"]
    code, shown, _ = command("models", "show", str(bundle))
    assert code == 0
    assert "chosen by trying: autoregression: reconstruction" in shown


def test_what_is_chosen_cannot_be_given_as_well(telemetry, tmp_path, command: Command) -> None:
    bundle = tmp_path / "bundle"
    automatic = ("train", str(telemetry), "--architecture", "auto", "--out", str(bundle))
    code, _, err = command(*automatic, "--window", "8", "--score", "robust")
    assert code == 2
    said = "--architecture auto chooses --window, --score itself; leave it out, or name an architecture"
    assert said in " ".join(err.split())
    code, _, err = command(*automatic, "--budget", "soon")
    assert code == 2
    assert "--budget" in err
    assert not bundle.exists()
