"""``detector models``: what it says of sound and of broken bundles, and that it needs no Keras."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.architectures import ARCHITECTURES
from models.bundle import Bundle, load_bundle
from tests.cli.conftest import CHANNELS, Made, training_data
from tests.support.commands import Ended


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made.path, tmp_path / "bundles" / "telemetry"))


def change_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def replace_file(bundle: Path, name: str, data: bytes) -> None:
    """Put another content in, with a manifest that agrees: what an attacker would do."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (bundle / name).write_bytes(data)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


class TestWithoutBundles:
    def test_a_directory_without_bundles(self, models, tmp_path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "readme.txt").write_text("no bundle")
        (tmp_path / "file.txt").write_text("no bundle")
        ended = models("list", tmp_path)
        assert (ended.code, ended.out) == (0, "")
        assert ended.err == f"no bundles in {tmp_path}; write one with: detector train FILE --out {tmp_path}/NAME\n"

    def test_without_an_argument_the_directory_models_is_meant(self, models, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert "there is no directory models; name the one that holds the bundles" in models("list").err
        (tmp_path / "models").mkdir()
        assert models("list").err.startswith("no bundles in models; ")

    def test_a_directory_that_is_not_there(self, models, tmp_path):
        ended = models("list", tmp_path / "none")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"error: there is no directory {tmp_path}/none; name the one that holds the bundles\n"

    @pytest.mark.parametrize("shown_by", ["show", "verify"])
    def test_a_bundle_that_is_not_there(self, models, tmp_path, shown_by):
        ended = models(shown_by, tmp_path / "none")
        assert (ended.code, ended.out) == (4, "")
        assert f"{tmp_path}/none is not a bundle: there is no such directory" in ended.err

    def test_a_runtime_that_there_is_not(self, models, tmp_path):
        ended = models("verify", tmp_path, "--runtime", "torch")
        assert ended.code == 2
        assert "'torch' is not one of" in ended.err


def line_of(name: str, bundle: Bundle) -> str:
    threshold = f"{bundle.calibration.threshold:.3f}"
    return (
        f"{name}  {bundle.version}  lstm                 2  8 x 300 s  {threshold.rjust(9)}  2026-03-04T05:06:07+00:00"
    )


@pytest.mark.keras
class TestList:
    def test_every_bundle_on_a_line_of_its_own(self, models, bundle):
        shutil.copytree(bundle, bundle.with_name("a-second"))
        opened = load_bundle(bundle)
        ended = models("list", bundle.parent)
        width = len(opened.version)
        assert ended == (
            0,
            f"NAME       {'VERSION'.ljust(width)}  ARCHITECTURE  CHANNELS  WINDOW     THRESHOLD  CREATED\n"
            f"{line_of('a-second ', opened)}\n"
            f"{line_of('telemetry', opened)}\n",
            "",
        )

    def test_the_bundle_itself_may_be_named(self, models, bundle, monkeypatch):
        monkeypatch.chdir(bundle)
        expected = line_of("telemetry", load_bundle(bundle))
        assert models("list", bundle).out.splitlines()[1:] == [expected]
        assert models("list", ".").out.splitlines()[1:] == [expected]

    def test_broken_ones_are_listed_after_the_others_with_the_reason(self, models, bundle):
        changed, headless = bundle.with_name("changed"), bundle.with_name("headless")
        shutil.copytree(bundle, changed)
        change_last_byte(changed / "model.onnx")
        shutil.copytree(bundle, headless)
        (headless / "manifest.json").unlink()
        ended = models("list", bundle.parent)
        assert (ended.code, ended.err) == (0, "")
        listed = ended.out.splitlines()
        assert listed[1] == line_of("telemetry", load_bundle(bundle))
        assert listed[2].startswith(
            f"changed  broken: {changed}/model.onnx: its checksum differs from the manifest's; "
        )
        assert listed[3].startswith(f"headless  broken: {headless} is not a bundle: it has no manifest.json; ")
        assert len(listed) == 4

    def test_unfinished_and_hidden_ones_are_not_there(self, models, bundle):
        shutil.copytree(bundle, bundle.with_name(".telemetry.0123.tmp"))
        assert len(models("list", bundle.parent).out.splitlines()) == 2

    def test_windows_that_count_samples(self, models, bundle):
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["spec"]["period_seconds"] = None
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        assert "  2  8       " in models("list", bundle).out.splitlines()[1]


@pytest.mark.keras
class TestShow:
    def test_the_report_of_training_again(self, models, made):
        from io import StringIO

        from detector.cli.train.report import print_report

        report = StringIO()
        print_report(made.report, report)
        ended = models("show", made.path)
        opened = load_bundle(made.path)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(report.getvalue())
        assert ended.out.removeprefix(report.getvalue()).splitlines() == [
            f"  version          {opened.version}, created 2026-03-04T05:06:07+00:00",
            "  channels         cpu, memory",
            f"  libraries        {', '.join(f'{name} {version}' for name, version in opened.libraries.items())}",
        ]
        assert "lstm on 2 channels (cpu, memory), windows of" in ended.out
        assert "trained 2 epochs" in ended.out
        assert re.search(
            r"  unexplained      reconstruction [0-9.]+% of the held-out variance \(the mean leaves 100%\)\n", ended.out
        )
        assert (
            "  score            reconstruction (standardised, last row); averaged over 1, 10 and 30 samples; link log\n"
            in ended.out
        )
        assert "keras" in opened.libraries

    def test_a_prediction_is_measured_by_the_sample_before(self, made):
        from io import StringIO

        from detector.cli.train.report import print_report

        shares = {"reconstruction": 0.25, "prediction": 0.5, "sample before": 0.75}
        report = StringIO()
        print_report({**made.report, "history": {**made.report["history"], "unexplained": shares}}, report)
        assert (
            "reconstruction 25.0%, prediction 50.0% of the held-out variance (the mean leaves 100%, the sample before "
            "75.0%)\n"
        ) in report.getvalue()

    def test_as_json_it_is_what_training_printed_and_more(self, models, made):
        ended = models("show", made.path, "--json")
        document = json.loads(ended.out)
        assert (ended.code, ended.err) == (0, "")
        assert {key: document[key] for key in made.report} == json.loads(json.dumps(made.report))
        assert set(document) - set(made.report) == {"version", "created_at", "libraries"}
        assert document["created_at"] == "2026-03-04T05:06:07+00:00"

    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_nothing_of_a_damaged_bundle_is_shown(self, models, bundle, options):
        change_last_byte(bundle / "training.json")
        ended = models("show", bundle, *options)
        assert (ended.code, ended.out) == (4, "")
        assert f"error: {bundle}/training.json: its checksum differs from the manifest's; the bundle is damaged" in (
            ended.err
        )


@pytest.mark.keras
class TestVerify:
    def test_a_sound_bundle_in_the_runtime_of_workers(self, models, made):
        ended = models("verify", made.path)
        opened = load_bundle(made.path)
        total = sum(path.stat().st_size for path in made.path.iterdir() if path.name != "manifest.json")
        lines = ended.out.splitlines()
        assert (ended.code, ended.err) == (0, "")
        assert lines[0] == f"checksums      ok: 5 files, {total:,} bytes"
        assert lines[1].startswith("golden sample  ok: onnx differs from Keras by at most ")
        assert lines[1].endswith(" on 16 windows (0.0001 is allowed)")
        assert lines[2:] == [f"OK: {made.path} is {opened.version}, digest {opened.digest}"]

    def test_in_both_runtimes_each_once(self, models, made):
        ended = models("verify", made.path, "--runtime", "keras", "--runtime", "onnx", "--runtime", "keras")
        assert ended.code == 0
        assert [line.split()[3] for line in ended.out.splitlines()[1:-1]] == ["keras", "onnx"]

    @pytest.mark.parametrize(
        "name", ["model.keras", "model.onnx", "golden_input.npy", "golden_output.npy", "training.json"]
    )
    def test_a_changed_file_is_named(self, models, bundle, name):
        change_last_byte(bundle / name)
        ended = models("verify", bundle)
        assert (ended.code, ended.out) == (4, "")
        assert ended.err.startswith(f"error: {bundle}/{name}: its checksum differs from the manifest's; ")

    @pytest.mark.parametrize(
        ("runtime", "name"), [("onnx", "model.onnx"), ("keras", "model.keras")], ids=["onnx", "keras"]
    )
    def test_a_model_that_does_not_open_though_its_checksum_fits(self, models, bundle, runtime, name):
        replace_file(bundle, name, b"no model")
        ended = models("verify", bundle, "--runtime", runtime)
        assert ended.code == 4
        assert ended.out.startswith("checksums      ok: 5 files, ")
        assert "golden sample" not in ended.out
        assert f"error: {bundle}/{name}: " in ended.err
        assert "train anew" in ended.err

    def test_a_model_that_gives_something_else_than_keras_did(self, models, bundle):
        import io

        expected = np.load(bundle / "golden_output.npy")
        changed = io.BytesIO()
        np.save(changed, expected + np.float32(0.25))
        replace_file(bundle, "golden_output.npy", changed.getvalue())
        ended = models("verify", bundle)
        assert ended.code == 4
        assert (
            f"error: {bundle}: the onnx runtime differs from Keras by 0.25 on the golden sample, more than 0.0001"
            in (ended.err)
        )

    def test_the_runtime_that_was_not_asked_for_is_not_looked_at(self, models, bundle):
        replace_file(bundle, "model.keras", b"no model")
        assert models("verify", bundle, "--runtime", "onnx").code == 0


def in_a_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.keras
class TestWithoutKeras:
    WITHOUT = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
    MAIN = "from detector.cli import main; main(sys.argv[1:])"

    @pytest.mark.parametrize(
        "command", [["list"], ["show"], ["show", "--json"], ["verify"], ["verify", "--runtime", "onnx"], ["horizon"]]
    )
    def test_nothing_but_the_keras_runtime_needs_it(self, made, command):
        done = in_a_process(self.WITHOUT + self.MAIN, "models", command[0], made.path, *command[1:])
        assert (done.returncode, done.stderr) == (0, "")
        assert (load_bundle(made.path).version if command != ["horizon"] else "half-life") in done.stdout

    def test_the_keras_runtime_says_what_to_install(self, made):
        done = in_a_process(self.WITHOUT + self.MAIN, "models", "verify", made.path, "--runtime", "keras")
        assert done.returncode == 2
        assert done.stderr.startswith("error: Keras is not usable here (")
        assert "pip install 'reconstream[keras-cpu]'" in done.stderr


class TestArchitectures:
    def test_each_is_shown_with_when_to_choose_it_and_its_paper(self, models):
        ended = models("architectures")
        assert ended.code == 0
        blocks = [block.splitlines() for block in ended.out.split("\n\n")]
        assert [lines[0].partition(":")[0] for lines in blocks] == list(ARCHITECTURES)
        for lines in blocks:
            assert lines[1].startswith("  choose it  ")
            assert lines[-1].startswith("  paper      ")
        assert "Hochreiter and Schmidhuber" in ended.out

    def test_options_are_shown_with_default_and_range(self, models):
        found = {entry["name"]: entry for entry in json.loads(models("architectures", "--json").out)}
        assert list(found) == list(ARCHITECTURES)
        for name, architecture in ARCHITECTURES.items():
            told = {option["name"]: option["default"] for option in found[name]["options"]}
            assert told == {option.name: option.default for option in architecture.options}
            assert all(option["range"] and option["help"] for option in found[name]["options"])


@pytest.mark.keras
class TestHorizon:
    def test_measuring_on_the_training_data_agrees_and_bundles_stand_side_by_side(
        self, made: Made, models: Callable[..., Ended], tmp_path: Path
    ) -> None:
        lines = ["time,series," + ",".join(CHANNELS)]
        for time_ns, values in zip(*training_data()["web-1"], strict=True):
            lines.append(f"{time_ns // 10**9},web-1," + ",".join(repr(float(value)) for value in values))
        (tmp_path / "data.csv").write_text("\n".join(lines))
        ended = models(
            "horizon", made.path, made.path, "--data", tmp_path / "data.csv", "--time-column", "time",
            "--series-column", "series", "--json",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        first, second = json.loads(ended.out)
        assert first == second
        stored = made.report["history"]["horizons"]["reconstruction"]
        assert first["norms"] == pytest.approx(stored["norms"], rel=1e-4)
        assert (first["bundle"], first["part"], first["period_seconds"]) == ("telemetry", "reconstruction", 300.0)

    def test_data_shorter_than_a_window_is_refused(
        self, made: Made, models: Callable[..., Ended], tmp_path: Path
    ) -> None:
        (tmp_path / "short.csv").write_text("time," + ",".join(CHANNELS) + "\n0," + ",".join("1" for _ in CHANNELS))
        ended = models("horizon", made.path, "--data", tmp_path / "short.csv")
        assert ended.code == 2
        assert "the longest unbroken stretch of the data has 1 rows, and a window of" in ended.err
