"""The quality benchmark: what it makes of a scorer's figures, and crops that tell nothing by the place in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.quality.crops import write_crops
from benchmarks.quality.runs import Runs, seedless
from benchmarks.quality.scorer import Scorer, ScorerError
from benchmarks.quality.table import figures_of, markdown

FOUND = {
    "sets": {
        "smd": {"mean": {"VUS-PR": 0.6}, "series": [{"name": "machine-1_test", "VUS-PR": 0.6}]},
        "skab": {"mean": {"VUS-PR": 0.9}, "series": [{"name": "valve1_0", "VUS-PR": 0.9}]},
        "nab": {"mean": {"VUS-PR": 0.2}, "series": []},
    },
    "skab": {
        "detector": {"F1": 0.8, "FAR": 10.0, "MAR": 20.0},
        "clock rule": {"F1": 0.95, "FAR": 7.5, "MAR": 4.0},
    },
    "nab": {"score": 65.0, "threshold": 2.0, "windows": 69},
}


class TestTable:
    def test_what_is_reported(self):
        assert figures_of(FOUND) == {
            "SMD VUS-PR": 0.6, "machine-1 VUS-PR": 0.6, "SKAB VUS-PR": 0.9, "SKAB F1": 0.8, "SKAB FAR": 10.0,
            "SKAB MAR": 20.0, "SKAB clock rule F1": 0.95, "SKAB clock rule FAR": 7.5, "SKAB clock rule MAR": 4.0,
            "NAB standard": 65.0,
        }  # fmt: skip

    def test_mean_spread_and_target(self):
        runs = {"auto": [{"SMD VUS-PR": 0.6, "SKAB FAR": 9.0}, {"SMD VUS-PR": 0.7, "SKAB FAR": 11.0}], "pca": [{}]}
        assert markdown(runs).splitlines() == [
            "| figure | target | auto | pca |",
            "|---|---|---|---|",
            "| SMD VUS-PR | 0.68 | 0.650 ± 0.071 | - |",
            "| SKAB FAR |  | 10.0 ± 1.4 | - |",
        ]


def write_file(folder: Path, set_name: str, name: str, label: np.ndarray) -> dict[str, object]:
    path = folder / set_name / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    times = pa.array(np.arange(len(label)) * 1_000_000_000, pa.timestamp("ns"))
    pq.write_table(pa.table({"timestamp": times, "a": np.arange(len(label), dtype=float), "label": label}), path)
    file = f"{set_name}/{name}.parquet"
    return {"set": set_name, "name": name, "file": file, "rows": len(label), "labelled": True}


class TestCrops:
    def test_training_rows_stay_and_the_fault_moves(self, tmp_path):
        data = tmp_path / "data"
        label = np.zeros(1000, np.int8)
        label[560:900] = 1
        entries = [write_file(data, "skab", f"valve1_{n}", label) for n in range(3)] + [
            write_file(data, "smd", "x", label)
        ]
        (data / "manifest.json").write_text(json.dumps(entries))
        begins = set()
        for seed in range(3):
            out = tmp_path / str(seed)
            write_crops(data, out, seed)
            found = json.loads((out / "manifest.json").read_text())
            assert [entry["name"] for entry in found] == ["valve1_0", "valve1_1", "valve1_2"]
            for entry in found:
                rows = pq.read_table(out / entry["file"])
                kept = rows["a"].to_numpy()
                assert entry["rows"] == len(kept)
                assert kept[:400].tolist() == list(range(400))
                rest = kept[400:]
                assert np.diff(rest).tolist() == [1.0] * (len(rest) - 1)
                assert 400 <= rest[0] <= 540
                assert 619 <= rest[-1] <= 999
                begins.add(int(rest[0]))
        assert len(begins) > 5


class TestRuns:
    """What is made, and what is not made again."""

    @pytest.fixture
    def made(self, monkeypatch):
        """Commands that were run; each leaves a summary that says what was chosen for `skab`."""
        commands: list[list[str]] = []

        def run(command, check):
            assert check
            commands.append([str(word) for word in command[4:]])
            out = Path(command[command.index("--out") + 1])
            out.mkdir(parents=True)
            recipe = None if self.kept else {"name": "other"}
            (out / "summary.json").write_text(json.dumps({"choices": {"skab": {"recipe": recipe, "name": "x"}}}))

        self.kept = True
        monkeypatch.setattr(subprocess, "run", run)
        return commands

    def test_a_run_that_is_there_is_not_made_again(self, made, tmp_path):
        for _ in range(2):
            assert Runs(tmp_path / "data", tmp_path).of("lstm", "smd", 1, 0) == tmp_path / "lstm" / "smd-1"
        out = str(tmp_path / "lstm" / "smd-1")
        assert made == [
            [str(tmp_path / "data"), "--out", out, "--sets", "smd", "--seed", "1", "--architecture", "lstm"]
        ]

    @pytest.mark.parametrize("model", ["recipe", "pca", "autoregression"])
    def test_what_has_no_seed_is_made_once(self, made, tmp_path, model):
        runs = Runs(tmp_path / "data", tmp_path)
        assert {runs.of(model, "smd", seed, 5) for seed in (5, 6, 7)} == {tmp_path / model / "smd-5"}
        assert len(made) == 1
        assert seedless(model)

    def test_a_choice_may_reuse_what_the_first_seed_made(self, made, tmp_path):
        runs = Runs(tmp_path / "data", tmp_path, jobs=1)
        for seed in (0, 1):
            runs.of("auto", "nab", seed, 0)
        assert [command[-4:] for command in made] == [
            ["--architecture", "auto", "--jobs", "1"],
            ["--reuse", str(tmp_path / "auto" / "nab-0"), "--jobs", "1"],
        ]

    @pytest.mark.parametrize(("kept", "model"), [(True, "recipe"), (False, "auto")])
    def test_cropped_files_are_trained_on_as_the_whole_ones(self, made, tmp_path, kept, model):
        self.kept = kept
        data = tmp_path / "data"
        label = np.zeros(1000, np.int8)
        label[560:900] = 1
        data.mkdir()
        (data / "manifest.json").write_text(json.dumps([write_file(data, "skab", "valve1_0", label)]))
        for _ in range(2):
            cropped, scores = Runs(data, tmp_path).cropped(3, 3)
        assert (cropped, scores) == (tmp_path / "crops-3", tmp_path / "auto-crops" / "skab-3")
        assert [command[-1] for command in made] == ["auto", model]


SCORER = """
import json, sys
from pathlib import Path
scores, data, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
names = sorted(path.stem for path in (scores / "nab").glob("*.parquet"))
if "bad" in names:
    sys.exit("no score for bad")
given = float(options[options.index("--nab-threshold") + 1]) if "--nab-threshold" in options else None
# The best threshold of a half is the number of its first file; with the other half's, the score is that number.
threshold = float(names[0]) if given is None else given
nab = {"threshold": threshold, "score": 10 * threshold, "windows": len(names)}
Path(options[options.index("--json") + 1]).write_text(json.dumps({"sets": {}, "nab": nab}))
"""


class TestScorer:
    @pytest.fixture
    def scorer(self, tmp_path):
        (tmp_path / "scorer.py").write_text(SCORER)
        return Scorer([sys.executable, str(tmp_path / "scorer.py")], tmp_path / "data")

    def scores(self, folder: Path, data: Path, names: list[str]) -> Path:
        entries = [write_file(folder, "nab", name, np.zeros(3, np.int8)) for name in names]
        data.mkdir()
        (data / "manifest.json").write_text(json.dumps(entries))
        return folder

    def test_each_half_of_nab_is_judged_at_the_threshold_of_the_other(self, scorer, tmp_path):
        scores = self.scores(tmp_path / "scores", tmp_path / "data", ["1", "2", "3"])
        # Files 1 and 3 at the threshold of file 2, and file 2 at that of file 1, weighted by their windows.
        assert scorer.nab_cross_fitted(scores) == pytest.approx((2 * 20.0 + 1 * 10.0) / 3)

    def test_a_scorer_that_refuses_is_heard(self, scorer, tmp_path):
        scores = self.scores(tmp_path / "scores", tmp_path / "data", ["bad"])
        with pytest.raises(ScorerError, match=r"^the scorer ended with 1: no score for bad$"):
            scorer.figures(scores)
