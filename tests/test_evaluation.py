"""Labelled folders: what is trained on, what is scored, and that no label is ever read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.cli.evaluate.choice import choose
from detector.cli.evaluate.earlier import Earlier
from detector.cli.evaluate.running import Asked, run
from detector.cli.evaluate.series import Manner, evaluate_one
from detector.errors import ConfigError
from detector.evaluation import Part, RowScores, Task, muted, plan, read_part, score_file, write_scores
from detector.pipeline.context import StreamContext
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.scoring.scores import Scores
from detector.series.carried import States
from detector.series.spec import WindowSpec
from detector.series.values import WindowBatch
from detector.settings import RecordSettings
from models.errors import ModelsError
from models.recipe import Recipe, fixed

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
CHANNELS = ("a", "b")
WINDOW = 3
NAN = float("nan")


def entry(set_name: str, name: str, split: str, labelled: bool, rows: int = 1000) -> dict[str, object]:
    return {
        "set": set_name, "name": name, "file": f"{set_name}/{name}.parquet", "rows": rows, "labelled": labelled,
        "split": split,
    }  # fmt: skip


MANIFEST = [
    entry("nab", "short", "all", labelled=True, rows=1000),
    entry("nab", "long", "all", labelled=True, rows=20_000),
    entry("skab", "valve1_0", "first 400 rows train, rest test", labelled=True),
    entry("skab", "anomaly_free", "train (normal)", labelled=False),
    entry("smd", "machine-1-6_train", "train (unlabelled)", labelled=False),
    entry("smd", "machine-1-6_test", "test", labelled=True),
    entry("msl", "F-5_train", "train (unlabelled)", labelled=False),
    entry("gecco", "train", "train", labelled=True, rows=139_566),
    entry("tep", "d00", "train", labelled=True),
    entry("tep", "d00_te", "test", labelled=True),
    entry("tep", "d04_te", "test", labelled=True),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


class TestPlan:
    def test_what_each_labelled_series_is_trained_on(self, folder):
        def part(file: str, stop: int | None = None) -> tuple[Part, ...]:
            return (Part(folder / file, 0, stop),)

        def task(set_name: str, name: str, train: tuple[Part, ...]) -> Task:
            return Task(set_name, name, folder / set_name / f"{name}.parquet", train)

        assert plan(folder) == [
            task("nab", "short", part("nab/short.parquet", 150)),
            task("nab", "long", part("nab/long.parquet", 750)),
            task("skab", "valve1_0", part("skab/valve1_0.parquet", 400)),
            task("smd", "machine-1-6_test", part("smd/machine-1-6_train.parquet")),
            task("gecco", "train", part("gecco/train.parquet", 750)),
            task("tep", "d00_te", part("tep/d00.parquet")),
            task("tep", "d04_te", part("tep/d00.parquet")),
        ]

    def test_unlabelled_series_and_training_parts_are_never_scored(self, folder):
        scored = {(task.set_name, task.name) for task in plan(folder)}
        assert not scored & {
            ("skab", "anomaly_free"), ("smd", "machine-1-6_train"), ("msl", "F-5_train"), ("tep", "d00"),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("sets", "only", "names"),
        [
            (["smd"], [], ["machine-1-6_test"]),
            (["tep", "skab"], [], ["valve1_0", "d00_te", "d04_te"]),
            ([], ["d0"], ["d00_te", "d04_te"]),
            ([], ["long", "machine"], ["long", "machine-1-6_test"]),
            (["tep"], ["d04", "long"], ["d04_te"]),
        ],
    )
    def test_a_choice_of_sets_and_names(self, folder, sets, only, names):
        assert [task.name for task in plan(folder, sets, only)] == names

    def test_a_folder_without_manifest(self, tmp_path):
        with pytest.raises(ConfigError) as refused:
            plan(tmp_path / "nowhere")
        assert str(refused.value) == (
            f"{tmp_path}/nowhere/manifest.json does not exist; name a folder that is laid out like the labelled data"
        )

    @pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "", "a/b", 7])
    @pytest.mark.parametrize("field", ["set", "name"])
    def test_a_name_that_leads_out_of_the_folder_of_scores(self, folder, field, name):
        (folder / "manifest.json").write_text(json.dumps([*MANIFEST, {**MANIFEST[0], field: name}]))
        with pytest.raises(ConfigError) as caught:
            plan(folder)
        assert str(caught.value) == (
            f"{folder}/manifest.json: the set or series {name!r} would name a file of scores; "
            "give it a name without slashes"
        )

    def test_a_manifest_that_is_no_json(self, tmp_path):
        (tmp_path / "manifest.json").write_text("[1,")
        with pytest.raises(ConfigError, match=rf"^{tmp_path}/manifest\.json is not JSON: .+ line 1 column 4"):
            plan(tmp_path)

    def test_unknown_sets_are_named_with_those_that_there_are(self, folder):
        with pytest.raises(ConfigError) as refused:
            plan(folder, ["smd", "wadi", "swat"])
        assert str(refused.value) == (
            f"--sets: swat, wadi not in {folder}/manifest.json; there are gecco, msl, nab, skab, smd, tep"
        )

    @pytest.mark.parametrize("sets", [[], ["smd"]])
    def test_names_that_no_labelled_series_has(self, folder, sets):
        with pytest.raises(ConfigError) as refused:
            plan(folder, sets, ["F-5", "anomaly_free"])
        assert str(refused.value) == (
            f"--only: no labelled series of {folder}/manifest.json has F-5 or anomaly_free in its name"
        )

    def test_a_test_part_without_its_training_part(self, tmp_path):
        (tmp_path / "manifest.json").write_text(json.dumps([entry("smd", "m-9_test", "test", labelled=True)]))
        with pytest.raises(ConfigError, match=r"^the manifest has no training part 'm-9_train' for smd/m-9_test$"):
            plan(tmp_path)


def write_file(path: Path, seconds: Sequence[float], a: Sequence[float], **more: Any) -> Path:
    """Channels ``a`` as given and ``b`` all zero, and further columns after them."""
    columns: dict[str, Any] = {
        "timestamp": pa.array([START_NS + round(t * SECOND_NS) for t in seconds], pa.timestamp("ns")),
        "a": np.asarray(a, np.float32),
        "b": np.zeros(len(a)),
        **more,
    }
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    return path


def spoil(path: Path, column: str) -> None:
    """Overwrite the bytes of one column, so that whoever reads it fails."""
    metadata = pq.ParquetFile(path).metadata
    data = bytearray(path.read_bytes())
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            found = metadata.row_group(group).column(index)
            if found.path_in_schema == column:
                begin = found.data_page_offset
                data[begin : begin + found.total_compressed_size] = b"\xff" * found.total_compressed_size
    path.write_bytes(data)
    with pytest.raises(OSError):
        pq.read_table(path, columns=[column])


class MagnitudeScorer:
    """Score = |a| + |b| of the last sample, NaN where too little of the window was observed."""

    state_dtype = None

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        last = batch.values[:, -1]
        contributions = np.abs(np.nan_to_num(last)).astype(np.float32)
        score = np.where(batch.coverage_ok, contributions.sum(1, dtype=np.float64), np.nan)
        return Scores(score, contributions, last, np.zeros_like(last), last.astype(np.float32))


def context(scorer: Any = None) -> StreamContext:
    return StreamContext(
        name="nab",
        reader=RecordReader(RecordSettings(decoder="row"), CHANNELS, decoder("row")),
        scorer=scorer or MagnitudeScorer(),
        spec=WindowSpec(
            length=WINDOW, channels=2, period_ns=SECOND_NS, stride=1, max_gap_steps=2, lateness_ns=0,
            max_jump_ns=2**62, stale_after_ns=2**62, forget_after_ns=2**62, min_coverage=0.5, max_series=10,
        ),
        policy=IncidentPolicy(
            threshold=100.0, quiet_score=80.0, open_after=2, close_after=3, cool_down_ns=0,
            update_every_ns=2**62, warning_ratio=2.0, critical_ratio=5.0, top_channels=2, channels=CHANNELS,
        ),
        identity=Identity(
            stream="nab", cluster="", topic="file", partition=0, model="0" * 64, model_version="test",
            fingerprint="f" * 64,
        ),
        keep_scores=True,
    )  # fmt: skip


class TestLabels:
    @pytest.fixture
    def labelled(self, tmp_path):
        """Columns of labels that look like channels, since they hold numbers, but fail when they are read."""
        path = write_file(
            tmp_path / "x.parquet", range(6), [1, 2, 3, 4, 5, 6],
            label=np.array([0, 0, 1, 1, 0, 0], np.int8), changepoint=np.ones(6),
        )  # fmt: skip
        spoil(path, "label")
        spoil(path, "changepoint")
        return path

    def test_training_never_opens_them(self, labelled):
        table, times, values = read_part(Part(labelled))
        assert table.channels == CHANNELS
        assert times.tolist() == [START_NS + t * SECOND_NS for t in range(6)]
        assert values.tolist() == [[v, 0.0] for v in range(1, 7)]

    def test_scoring_never_opens_them(self, labelled):
        assert score_file(labelled, context(), "x").score.tolist() == [3, 3, 3, 4, 5, 6]


class TestReadPart:
    def test_rows_from_the_first_to_before_the_last(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(6), [1, 2, 3, 4, 5, 6])
        _, times, values = read_part(Part(path, 1, 4))
        assert times.tolist() == [START_NS + t * SECOND_NS for t in (1, 2, 3)]
        assert values[:, 0].tolist() == [2, 3, 4]

    def test_channels_in_the_order_that_was_asked_for(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(2), [1, 2])
        table, _, values = read_part(Part(path), ["b", "a"])
        assert table.channels == ("b", "a")
        assert values.tolist() == [[0, 1], [0, 2]]

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigError, match=rf"^{tmp_path}/no\.parquet"):
            read_part(Part(tmp_path / "no.parquet"))


class TestScoreFile:
    def test_rows_before_the_first_window_get_the_lowest_score(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(6), [9, 9, 5, 7, 2, 8])
        rows = score_file(path, context(), "x")
        assert rows.score.tolist() == [2, 2, 5, 7, 2, 8]
        assert rows.time_ns.tolist() == [START_NS + t * SECOND_NS for t in range(6)]
        assert rows.scored == 4

    def test_a_repeated_time_repeats_the_score_before_it(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", [0, 1, 2, 3, 3, 3, 4], [1, 1, 5, 6, 90, 91, 7])
        rows = score_file(path, context(), "x")
        assert rows.score.tolist() == [5, 5, 5, 6, 6, 6, 7]
        assert rows.scored == 3
        assert rows.time_ns[4] == rows.time_ns[3]

    def test_a_time_that_goes_back_does_too(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", [0, 1, 2, 3, 1, 4], [1, 1, 5, 6, 90, 7])
        assert score_file(path, context(), "x").score.tolist() == [5, 5, 5, 6, 6, 7]

    def test_a_row_without_values_repeats_the_score_before_it(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(6), [1, 1, 5, 6, NAN, 7], b=[0, 0, 0, 0, NAN, 0])
        rows = score_file(path, context(), "x")
        assert rows.score.tolist() == [5, 5, 5, 6, 6, 7]
        assert rows.scored == 3

    def test_after_a_gap_the_window_fills_anew(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", [0, 1, 2, 3, 50, 51, 52], [1, 1, 5, 6, 90, 91, 7])
        rows = score_file(path, context(), "x")
        assert rows.score.tolist() == [5, 5, 5, 6, 6, 6, 7]
        assert rows.scored == 3

    def test_one_row_for_every_row_of_a_longer_file(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(20_000), np.arange(20_000) % 50)
        rows = score_file(path, context(), "x")
        assert rows.scored == 20_000 - WINDOW + 1
        assert rows.score[WINDOW - 1 :].tolist() == (np.arange(20_000) % 50)[WINDOW - 1 :].tolist()

    def test_the_model_is_asked_for_the_series_by_its_name(self, tmp_path):
        asked: set[str] = set()

        class Names(MagnitudeScorer):
            def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
                asked.update(batch.series)
                return super().score(batch, states)

        score_file(write_file(tmp_path / "x_test.parquet", range(5), [1] * 5), context(Names()), "x_train")
        assert asked == {"x_train"}

    def test_a_file_shorter_than_a_window(self, tmp_path):
        path = write_file(tmp_path / "x.parquet", range(2), [1, 2])
        with pytest.raises(ConfigError) as refused:
            score_file(path, context(), "x")
        assert str(refused.value) == f"{path}: no row could be scored; the file is shorter than a window, or empty"

    def test_a_file_that_lacks_a_channel_of_the_model(self, tmp_path):
        path = tmp_path / "x.parquet"
        pq.write_table(pa.table({"timestamp": pa.array([START_NS], pa.timestamp("ns")), "a": [1.0]}), path)
        with pytest.raises(ConfigError) as refused:
            score_file(path, context(), "x")
        assert str(refused.value) == f"{path}: there is no column for the channels b; the columns are timestamp, a"


class TestMuted:
    def rows(self, *score: float) -> RowScores:
        return RowScores(np.arange(len(score)), np.array(score, np.float64), len(score))

    def test_a_repeat_gets_the_lowest_score(self):
        assert muted(self.rows(1, 2, 7, 7, 5, 8, 0), 3).score.tolist() == [1, 2, 7, 0, 0, 8, 0]

    def test_it_is_forgotten_after_so_many_rows(self):
        assert muted(self.rows(0, 9, 3, 3, 3, 4, 3), 3).score.tolist() == [0, 9, 0, 0, 0, 4, 0]

    def test_a_row_looks_at_none_behind_it(self):
        score = np.random.default_rng(0).gamma(1.0, size=50).tolist()
        whole = muted(self.rows(-1, *score), 5).score
        for stop in (10, 30):
            assert muted(self.rows(-1, *score[:stop]), 5).score.tolist() == whole[: stop + 1].tolist()

    def test_nothing_is_muted_where_no_rows_are_looked_at(self):
        assert muted(self.rows(1, 1, 1), 0).score.tolist() == [1, 1, 1]


@pytest.mark.keras
class TestEvaluateOne:
    """One series from its file to its scores, by the recipe for its shape."""

    AS_BY_SHAPE = Manner(seed=3, threads=None)

    def ordinary(self, rows: int) -> np.ndarray:
        noise = np.random.default_rng(4).normal(scale=0.1, size=(2, rows))
        return np.sin(np.arange(rows) / [[4], [7]]) + noise

    def test_few_rows_of_several_channels(self, tmp_path):
        a, b = self.ordinary(500)
        a[450:460] += 3
        path = write_file(tmp_path / "valve.parquet", range(500), a, b=b)
        found = evaluate_one(Task("skab", "valve", path, (Part(path, 0, 400),)), tmp_path, self.AS_BY_SHAPE)
        recipe = fixed(2, 400)
        assert found["recipe"] == recipe.to_dict()
        assert (recipe.train_options().folds, recipe.calibration.quantile) == (4, 0.99)
        rows = pq.read_table(tmp_path / "skab" / "valve.parquet").to_pydict()
        above = np.array(rows["score"]) > np.array(rows["threshold"])
        assert set(rows["threshold"]) == {found["threshold"]}
        assert above[450:460].all()
        assert above[:450].mean() < 0.04

    def test_one_channel_of_nab_tells_a_fault_once(self, tmp_path):
        _, values = self.ordinary(600)
        values[500:510] += 3
        path = write_file(tmp_path / "rides.parquet", range(600), values)
        pq.write_table(pq.read_table(path, columns=["timestamp", "a"]), path)
        found = evaluate_one(Task("nab", "rides", path, (Part(path, 0, 300),)), tmp_path, self.AS_BY_SHAPE)
        assert found["recipe"] == fixed(1, 300).to_dict()
        score = np.array(pq.read_table(tmp_path / "nab" / "rides.parquet")["score"])
        assert int(score.argmax()) == 500
        told = np.flatnonzero(score > score.min())
        # Whatever is told later is told because it is more surprising still.
        assert (np.diff(score[told[(told >= 500) & (told < 600)]]) > 0).all()
        assert len(told) < 60

    def test_an_architecture_that_was_asked_for_is_judged_as_by_default(self, tmp_path):
        a, b = self.ordinary(300)
        path = write_file(tmp_path / "valve.parquet", range(300), a, b=b)
        manner = Manner(
            recipe=Recipe(name="pca", architecture="pca"), score_parts=("reconstruction", "level"), threads=None
        )
        found = evaluate_one(Task("smd", "valve", path, (Part(path, 0, 200),)), tmp_path, manner)
        assert (found["recipe"]["architecture"], found["recipe"]["training"]) == ("pca", {})
        assert found["recipe"]["score"]["parts"] == ("reconstruction", "level")

    def test_a_choice_that_one_series_of_the_set_cannot_follow_leaves_it_the_recipe(self, tmp_path):
        a, b = self.ordinary(60)
        path = write_file(tmp_path / "valve.parquet", range(60), a, b=b)
        task = Task("smd", "valve", path, (Part(path, 0, 40),))
        long = Recipe(name="long", architecture="pca", window=500, training={"folds": 20})
        with pytest.raises(ModelsError):
            evaluate_one(task, tmp_path, Manner(recipe=long, threads=None))
        found = evaluate_one(task, tmp_path, Manner(recipe=long, chosen=True, threads=None))
        assert found["recipe"] == fixed(2, 40).to_dict()
        assert found["note"].startswith("the choice for the set cannot be trained on it: ")


@pytest.mark.keras
class TestRun:
    """A set from its files to its summary."""

    ASKED = Asked(architecture=None, score_parts=(), budget_seconds=None, epochs=None, seed=0)

    def tasks(self, folder: Path, rows: int, train: int, count: int = 2) -> list[Task]:
        found = []
        for number in range(count):
            noise = np.random.default_rng(number).normal(scale=0.1, size=(2, rows))
            a, b = np.sin(np.arange(rows) / [[4], [7]]) + noise
            path = write_file(folder / f"valve{number}.parquet", range(rows), a, b=b)
            found.append(Task("smd", path.stem, path, (Part(path, 0, train),)))
        return found

    def test_one_choice_for_a_set(self, tmp_path):
        # No time for more than the first candidate.
        found = choose(self.tasks(tmp_path, 1300, 1200), 0.0, 0, None)
        assert found.selection is not None
        assert {row.recipe.architecture for row in found.selection.rows} == {"autoregression"}
        assert set(found.selection.passed_over) == {"pca", "streaming", "gru", "lstm", "lstm_vae", "seq2seq"}
        assert found.tried_on == ("valve0", "valve1")
        # Faults were injected into both.
        assert found.selection.rows[0].outcome.precision.found["spike"][1] >= 2
        assert (found.recipe is None) == found.selection.kept

    def test_of_many_series_some_are_tried_on(self, tmp_path):
        found = choose(self.tasks(tmp_path, 60, 40, count=9), 0.0, 0, None)
        assert found.tried_on == ("valve0", "valve1", "valve3", "valve4", "valve6", "valve8")

    def test_too_little_to_try_on_leaves_the_recipe_and_says_so(self, tmp_path):
        found = choose(self.tasks(tmp_path, 60, 40), 60.0, 0, None)
        assert (found.recipe, found.name) == (None, "the recipe for the shape of the data")
        assert found.reason == "40 rows have no room for 20 injected faults: the recipe for data of this shape"
        nothing = choose([Task("smd", "x", tmp_path / "x", (Part(tmp_path / "no.parquet"),))], 60.0, 0, None)
        assert nothing.recipe is None
        assert nothing.reason.startswith(f"nothing could be tried: {tmp_path}/no.parquet")

    def test_series_of_other_channels_leave_the_recipe(self, tmp_path):
        tasks = self.tasks(tmp_path, 60, 40)
        one = pq.read_table(tasks[0].scored, columns=["timestamp", "a"])
        pq.write_table(one, tasks[0].scored)
        assert choose(tasks, 60.0, 0, None).reason == (
            "nothing could be tried: one choice for several streams needs streams with as many channels each, "
            "at least one"
        )

    def test_the_summary_tells_the_choice_and_scores_without_a_seed_are_made_once(self, tmp_path, capfd):
        tasks = self.tasks(tmp_path, 300, 200)
        auto = replace(self.ASKED, budget_seconds=0.0)
        first = run(tasks, tmp_path / "one", auto, 1)
        assert json.loads((tmp_path / "one" / "summary.json").read_text()) == json.loads(json.dumps(first))
        choice = first["choices"]["smd"]
        assert choice["reason"] == choice["selection"]["reason"]
        assert [result["reused"] for result in first["series"]] == [False, False]
        assert "smd: trying models for 0 s at most" in capfd.readouterr().err
        # Another seed comes to the same, but for a model that has one.
        earlier = Earlier.read(tmp_path / "one")
        second = run(tasks, tmp_path / "two", replace(self.ASKED, seed=1), 1, earlier)
        assert [result["reused"] for result in second["series"]] == [True, True]
        for task in tasks:
            one, two = (tmp_path / run / "smd" / f"{task.name}.parquet" for run in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()
        assert earlier.find(tasks[0], Recipe(name="x", architecture="pca"), first["series"][0]["data"], None) is None
        same = Recipe(**{**_attributes(fixed(2, 200)), "name": "other"})
        data = first["series"][0]["data"]
        assert earlier.find(tasks[0], same, data, None) is not None
        assert earlier.find(tasks[0], same, "other data", None) is None
        assert earlier.find(tasks[0], same, data, 3) is None

    def test_earlier_scores_that_cannot_be_reused(self, tmp_path):
        with pytest.raises(ConfigError) as refused:
            Earlier.read(tmp_path)
        assert str(refused.value) == (
            f"--reuse: {tmp_path}/summary.json does not exist; name the --out of an earlier evaluation"
        )
        (tmp_path / "summary.json").write_text("{")
        with pytest.raises(ConfigError, match=rf"^--reuse: {tmp_path}/summary\.json is not JSON: "):
            Earlier.read(tmp_path)
        (tmp_path / "summary.json").write_text('{"version": "0"}')
        with pytest.raises(ConfigError, match=r"summary\.json is of another version; leave --reuse out$"):
            Earlier.read(tmp_path)


def _attributes(recipe: Recipe) -> dict[str, Any]:
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}


class TestWriteScores:
    def test_time_score_and_threshold_of_every_row(self, tmp_path):
        times = np.array([START_NS, START_NS, START_NS + 1], np.int64)
        path = tmp_path / "nab" / "x.parquet"
        write_scores(path, RowScores(times, np.array([1.5, 1.5, 0.25]), 2), 4.0)
        table = pq.read_table(path)
        assert table.schema.names == ["time", "score", "threshold"]
        assert table.schema.types == [pa.timestamp("ns"), pa.float64(), pa.float64()]
        assert table["time"].cast(pa.int64()).to_pylist() == times.tolist()
        assert table["score"].to_pylist() == [1.5, 1.5, 0.25]
        assert table["threshold"].to_pylist() == [4.0, 4.0, 4.0]
        assert [found.name for found in path.parent.iterdir()] == ["x.parquet"]

    def test_an_earlier_file_is_replaced(self, tmp_path):
        rows = RowScores(np.array([START_NS], np.int64), np.array([1.0]), 1)
        for threshold in (1.0, 2.0):
            write_scores(tmp_path / "x.parquet", rows, threshold)
        assert pq.read_table(tmp_path / "x.parquet")["threshold"].to_pylist() == [2.0]
