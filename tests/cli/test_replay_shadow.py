"""``detector replay --shadow`` on a file, as people type it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detector.cli.replay.from_files import channels_of
from detector.records.values import PlainRecord
from models.bundle import load_bundle

pytestmark = pytest.mark.keras


def test_where_two_models_differ(command, made, tmp_path):
    values = np.cumsum(np.random.default_rng(8).normal(size=(60, 2)), axis=0)
    rows = [f"{300 * i},{cpu:.4f},{memory:.4f}\n" for i, (cpu, memory) in enumerate(values.tolist())]
    file = tmp_path / "web.csv"
    file.write_text("timestamp,cpu,memory\n" + "".join(rows))
    # The challenger is the same model, pulled from a registry; by threshold and windows they agree about everything.
    assert command("models", "push", made.path, tmp_path / "registry" / "web", "--alias", "challenger").code == 0
    reference = f"registry://{tmp_path}/registry/web@challenger"
    ended = command("replay", file, "--model", made.path, "--shadow", reference, "--json")
    assert ended.code == 0, ended.err
    shadow = json.loads(ended.out)["shadow"]
    assert shadow["challengers"][0]["version"] == load_bundle(made.path).version
    assert shadow["windows"]["neither"] + shadow["windows"]["both"] == json.loads(ended.out)["windows_scored"] == 53
    assert shadow["correlation"] == 1.0
    assert "In the shadow: lstm-" in command("replay", file, "--model", made.path, "--shadow", made.path).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shadow", "registry://x"], "--shadow: 'registry://x' names no alias and no version; write registry://"),
        (["--shadow", "m", "--as-lived"], "leave out --as-lived"),
        (["--registry", "r"], "--registry finds the bundles of another time; it belongs to --as-lived"),
    ],
)
def test_what_contradicts_itself(command, tmp_path, arguments, message):
    (tmp_path / "detector.yaml").write_text("streams: [{name: s, topic: t, model: m}]")
    ended = command("replay", "-c", tmp_path / "detector.yaml", *arguments)
    assert (ended.code, message in ended.err) == (2, True), ended.err
    (tmp_path / "two.yaml").write_text("streams: [{name: s, topic: t, model: m}, {name: u, topic: v, model: m}]")
    two = command("replay", "-c", tmp_path / "two.yaml", "--shadow", "m")
    assert "--shadow compares the models of one stream; say which with --stream" in two.err


def test_rows_of_files_are_cut_to_the_channels_of_each_model():
    records = [PlainRecord("f", 0, 0, 0, b"web", (5, [1.0, 2.0, 3.0]))]
    assert channels_of(("a", "b", "c"), ("a", "b", "c"))(records) is records
    (found,) = channels_of(("a", "b", "c"), ("c", "a"))(records)
    assert (found.value, found.key, found.offset) == ((5, [3.0, 1.0]), b"web", 0)
