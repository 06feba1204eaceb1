"""``detector train --architecture X --option name=value``: into the manifest and the report, or refused at once."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from detector.cli.train.report import print_report
from tests.support.commands import Command

pytestmark = pytest.mark.keras


@pytest.fixture
def train(tmp_path: Path, command: Command):
    """Runs the command on a small file; gives exit code, stdout and stderr."""
    phase = np.arange(120) / 7
    rows = [f"{60 * step},{np.sin(at):.6f},{np.cos(at):.6f}" for step, at in enumerate(phase)]
    (tmp_path / "data.csv").write_text("\n".join(["time,cpu,memory", *rows]) + "\n")

    return partial(command, "train", tmp_path / "data.csv", "--out", tmp_path / "bundle")


@pytest.mark.parametrize("there", ["directory", "link"])
def test_what_must_not_be_replaced_is_told_before_the_training(train, tmp_path, monkeypatch, there):
    target = tmp_path / "bundle"
    if there == "directory":
        target.mkdir()
        (target / "thesis.txt").write_text("years of work")
    else:
        target.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr("models.training.train", lambda *_, **__: pytest.fail("it trained"))
    code, _, err = train("--force")
    assert code == 4
    assert "is not replaced" in err


def test_options_are_in_the_manifest_and_a_fit_without_epochs_is_reported(train, tmp_path):
    code, out, err = train("--architecture", "pca", "--option", "components=3")
    assert code == 0, err
    spec = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["spec"]
    assert spec["architecture"] == "pca"
    assert spec["window"] == 10
    assert spec["options"] == {"explained_variance": 0.9, "components": 3}
    assert "fitted in " in out
    assert "closed form: 3 of 20 principal components explain" in out
    assert "held-out loss    0.0" in out
    assert "exceeded by one ordinary sample in " in out
    assert " a week and series of normal operation" in out
    assert "it moves" not in out


def test_without_an_architecture_it_is_the_one_with_memory_judged_by_all_that_suits_it(train, tmp_path):
    code, _, err = train("--units", "4", "--epochs", "1", "--channels", "cpu")
    assert code == 0, err
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert (manifest["spec"]["architecture"], manifest["spec"]["window"]) == ("streaming", 10)
    # Two hours say nothing about the rhythm of the day, which would count if there were one.
    assert [part["part"] for part in manifest["score"]["parts"]] == ["linear", "prediction"]


def test_what_little_data_cannot_show_of_the_alert_budget_is_reported(train):
    said = "held-out data of 22 minutes, all series together, cannot show one alert a week"
    code, out, err = train("--architecture", "pca")
    assert code == 0, err
    assert f"alert budget     {said}" in out
    code, out, err = train("--architecture", "pca", "--json", "--force")
    assert code == 0, err
    assert json.loads(out)["shortfall"].startswith(said)
    assert f"warning: {said}" in err
    code, out, err = train("--architecture", "pca", "--threshold", "risk", "--force")
    assert code == 0, err
    assert "cannot show" not in out


def test_a_threshold_that_moves_is_reported(train):
    code, out, err = train("--architecture", "pca", "--json")
    assert code == 0, err
    document = json.loads(out)
    for depth, told in ((0, "tail of each series' own scores (spot)"), (9, "tail and level of each series' own")):
        document["calibration"]["spot"] = {"depth": depth}
        stream = io.StringIO()
        print_report(document, stream)
        assert f"it moves         with the {told}" in stream.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--architecture", "gpt"],
            "there is no architecture 'gpt'; choose one of: pca, autoregression, simple_rnn, gru, ",
        ),
        (["--clipnorm", "1", "--clipvalue", "2"], "only one of clipnorm, clipvalue, global_clipnorm can be set, not"),
        (["--option", "depth=2"], "streaming has no option 'depth'; choose among: cell, chunk, highway, "),
        (["--architecture", "lstm", "--option", "depth=2"], "lstm has no option 'depth'; it has none"),
        (
            ["--architecture", "seq2seq", "--option", "sampling=often"],
            "option sampling is 'often'; it must be none, linear, exponential, inverse_sigmoid",
        ),
        (["--architecture", "lstm_vae", "--option", "beta"], "the option 'beta' is not of the form name=value"),
        (["--architecture", "pca", "--option", "components=20"], "option components is 20, but a window has 20 values"),
    ],
)
def test_what_an_architecture_does_not_have_is_refused_with_the_choices(train, tmp_path, arguments, message):
    code, _, err = train(*arguments)
    assert code == 2
    assert message in err
    assert not (tmp_path / "bundle").exists()


def test_the_bound_on_gradients_is_kept_to_and_reported(train):
    arguments = ("--units", "4", "--latent", "2", "--epochs", "1", "--window", "8", "--clipvalue", "0.0001", "--json")
    code, out, err = train("--architecture", "lstm", *arguments)
    assert code == 0, err
    history = json.loads(out)["history"]
    assert history["clipping"] == "clipvalue 0.0001"
    (epoch,) = history["epochs"]
    # An encoder of 2 channels and 4 units has 112 weights.
    (encoder,) = (layer for layer in epoch["layers"] if layer["layer"] == "encoder")
    assert encoder["after"]["max"] <= 1e-4 * 112**0.5 * 1.0001
    assert epoch["clipped_steps"] == epoch["steps"]
    assert "clipped" in {finding["kind"] for finding in history["findings"]}
