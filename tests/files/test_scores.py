"""Scores written to files, read back by other means than the writer's own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import ConfigError
from detector.files.scores import ScoreWriter, write_scores

T0 = 1_600_000_000_000_000_000


def append(writer: ScoreWriter, times: list[int], series: str = "s") -> None:
    count = len(times)
    score = np.arange(count, dtype=np.float64) + 0.5
    score[1:2] = np.nan
    writer.append([series] * count, np.array(times), score, 2.0, 3, np.arange(count, dtype=np.int64) + 10)


def test_parquet(tmp_path: Path) -> None:
    with write_scores(tmp_path / "s.parquet") as writer:
        append(writer, [T0, T0 + 1])
        append(writer, [T0 + 2], "other")
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.column_names == ["series", "time", "score", "threshold", "partition", "offset"]
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert table.column("series").to_pylist() == ["s", "s", "other"]
    assert table.column("time").cast(pa.int64()).to_pylist() == [T0, T0 + 1, T0 + 2]
    assert table.column("score").to_pylist() == [0.5, None, 0.5]
    assert table.column("threshold").to_pylist() == [2.0] * 3
    assert table.column("partition").to_pylist() == [3] * 3
    assert table.column("offset").to_pylist() == [10, 11, 10]


def test_csv(tmp_path: Path) -> None:
    with write_scores(tmp_path / "s.csv") as writer:
        append(writer, [T0, T0 + 5_000_000], 'a "quoted", name')
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "series": 'a "quoted", name', "time": "2020-09-13T12:26:40.000Z", "score": "0.5", "threshold": "2",
        "partition": "3", "offset": "10",
    }  # fmt: skip
    assert (rows[1]["time"], rows[1]["score"]) == ("2020-09-13T12:26:40.005Z", "")


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson"])
def test_json_lines(tmp_path: Path, suffix: str) -> None:
    with write_scores(tmp_path / f"s.{suffix}") as writer:
        append(writer, [T0, T0 + 1])
    lines = [json.loads(line) for line in (tmp_path / f"s.{suffix}").read_text().splitlines()]
    assert lines[0] == {
        "series": "s", "time": "2020-09-13T12:26:40.000000000Z", "score": 0.5, "threshold": 2.0, "partition": 3,
        "offset": 10,
    }  # fmt: skip
    assert (lines[1]["time"], lines[1]["score"]) == ("2020-09-13T12:26:40.000000001Z", None)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_many_appends_make_few_groups_and_keep_their_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s.{suffix}"
    with write_scores(path) as writer:
        for part in range(200):
            offsets = np.arange(part * 500, part * 500 + 500)
            writer.append(["s"] * 500, offsets + T0, offsets.astype(float), 1.0, 0, offsets)
    if suffix == "parquet":
        assert pq.ParquetFile(path).num_row_groups == 2
        found = pq.read_table(path).column("offset").to_pylist()
    elif suffix == "csv":
        found = [int(row["offset"]) for row in csv.DictReader(path.open())]
    else:
        found = [json.loads(line)["offset"] for line in path.open()]
    assert found == list(range(100_000))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_no_rows_make_a_readable_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s.{suffix}"
    write_scores(path).close()
    if suffix == "parquet":
        assert pq.read_table(path).num_rows == 0
    elif suffix == "csv":
        assert list(csv.reader(path.open())) == [["series", "time", "score", "threshold", "partition", "offset"]]
    else:
        assert path.read_bytes() == b""


def test_the_file_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    path.write_text("before")
    writer = write_scores(path)
    append(writer, [T0])
    assert path.read_text() == "before"
    writer.close()
    writer.close()
    assert pq.read_table(path).num_rows == 1
    assert [found.name for found in tmp_path.iterdir()] == ["s.parquet"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("before")

    def fail_half_way() -> None:
        with write_scores(path) as writer:
            append(writer, [T0])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_half_way()
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["s.csv"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        write_scores(tmp_path / "s.xlsx")
    assert str(error.value) == (
        f"{tmp_path / 's.xlsx'}: scores go to a file that ends in .parquet, .csv or .jsonl; rename it"
    )
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory; check the directory"):
        write_scores(tmp_path / "gone" / "s.csv")
