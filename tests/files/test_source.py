"""Files as records of a replay, and as JSON to publish."""

from __future__ import annotations

import hashlib
import json
import math
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from detector.errors import ConfigError
from detector.files.merge import json_rows, json_rows_again_and_again
from detector.files.source import FileSource
from detector.files.table import open_table
from detector.files.timescale import TimeScale, usual_step_ns
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.values import InputPartition
from detector.settings import RecordSettings

NS = 1_000_000_000
T0 = 1_600_000_000


def csv(path: Path, rows: list[tuple[object, ...]], header: str = "ts,a,b") -> Path:
    path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def test_rows_become_records_in_file_order(tmp_path: Path) -> None:
    first = csv(tmp_path / "one.csv", [(T0, 1, 2), (T0 + 1.5, "", 3), (T0, 4, 5)])
    second = csv(tmp_path / "two.csv", [(T0, 6, 7)])
    source = FileSource([open_table(first), open_table(second, series="other")], max_records=2)
    assert source.topics == ("one.csv", "two.csv")
    assert source.rows is None
    assert source.digest("one.csv") == hashlib.sha256(first.read_bytes()).hexdigest()
    chunks = list(source.chunks())
    assert [(partition, len(records)) for partition, records in chunks] == [
        (InputPartition("one.csv", 0), 2),
        (InputPartition("one.csv", 0), 1),
        (InputPartition("two.csv", 0), 1),
    ]
    records = [record for _, part in chunks for record in part]
    assert [(r.topic, r.partition, r.offset, r.timestamp, r.key) for r in records] == [
        ("one.csv", 0, 0, T0 * 1000, b"one"),
        ("one.csv", 0, 1, T0 * 1000 + 1500, b"one"),
        ("one.csv", 0, 2, T0 * 1000, b"one"),
        ("two.csv", 0, 0, T0 * 1000, b"other"),
    ]
    assert records[0].value == (T0 * NS, [1.0, 2.0])
    assert records[1].value[0] == T0 * NS + NS * 3 // 2
    assert math.isnan(records[1].value[1][0])


def test_the_reader_takes_the_records(tmp_path: Path) -> None:
    path = csv(tmp_path / "x.csv", [("2020-09-13T12:26:40.000000001Z", 1, 2)])
    source = FileSource([open_table(path, channels=["b", "a"])])
    ((_, (record,)),) = source.chunks()
    sample = RecordReader(RecordSettings(decoder="row"), ["b", "a"], decoder("row")).read(record)
    assert sample is not None
    assert (sample.series, sample.time_ns, list(sample.values)) == ("x", T0 * NS + 1, [2.0, 1.0])  # type: ignore[union-attr]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    paths = [csv(tmp_path / "x.csv", [(T0, 1, 2)]), csv(tmp_path / "d" / "x.csv", [(T0, 1, 2)])]
    with pytest.raises(ConfigError) as error:
        FileSource([open_table(path) for path in paths])
    assert str(error.value) == (
        "several files are called x.csv; a name stands for a topic, so replay them one by one or rename them"
    )


def test_files_are_merged_by_time_and_keep_their_own_order(tmp_path: Path) -> None:
    one = open_table(csv(tmp_path / "one.csv", [(T0, 1, 2), (T0 + 3, 3, 4), (T0 + 1, 5, 6)]))
    two = open_table(csv(tmp_path / "two.csv", [(T0, 7, 8), (T0 + 2, "", 9)]))
    rows = list(json_rows([one, two]))
    assert [(row.time_ns // NS - T0, row.series, json.loads(row.value)) for row in rows] == [
        (0, "one", {"a": 1.0, "b": 2.0}),
        (0, "two", {"a": 7.0, "b": 8.0}),
        (2, "two", {"a": None, "b": 9.0}),
        (3, "one", {"a": 3.0, "b": 4.0}),
        (1, "one", {"a": 5.0, "b": 6.0}),
    ]
    shifted = list(json_rows([two], TimeScale(T0 * NS, 0)))
    assert [row.time_ns for row in shifted] == [0, 2 * NS]


def test_times_closer_together_keep_order_gaps_and_proportions(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path / "x.csv", [(T0, 1, 2), (T0 + 60, 3, 4), (T0 + 240, 5, 6)]))
    scale = TimeScale(first_ns=T0 * NS, start_ns=5 * NS, factor=60)
    assert [row.time_ns / NS for row in json_rows([table], scale)] == [5, 6, 9]
    assert scale.at_one((T0 + 240) * NS) == 9 * NS


def test_rows_that_begin_again_go_on_in_time(tmp_path: Path) -> None:
    one = open_table(csv(tmp_path / "one.csv", [(T0, 1, 2), (T0 + 10, 3, 4)]))
    two = open_table(csv(tmp_path / "two.csv", [(T0 + 10, 5, 6)]))
    rows = json_rows_again_and_again([one, two], TimeScale(T0 * NS, 0), 20 * NS)
    assert [(row.time_ns // NS, row.series) for row in islice(rows, 7)] == [
        (0, "one"), (10, "one"), (10, "two"), (20, "one"), (30, "one"), (30, "two"), (40, "one"),
    ]  # fmt: skip


def test_the_usual_step_is_the_median_of_what_is_no_repetition(tmp_path: Path) -> None:
    times = [T0, T0, T0 + 10, T0 + 5, T0 + 15, T0 + 900]
    table = open_table(csv(tmp_path / "x.csv", [(time, 1, 2) for time in times]))
    assert usual_step_ns([table]) == 5 * NS
    assert usual_step_ns([open_table(csv(tmp_path / "y.csv", [(T0, 1, 2)]))]) == 0


def test_published_numbers_read_back_exactly(tmp_path: Path) -> None:
    path = csv(tmp_path / "x.csv", [(T0, 0.1 + 0.2, 1e-310), (T0, 2**53, "inf")])
    rows = list(json_rows([open_table(path)]))
    assert json.loads(rows[0].value) == {"a": 0.1 + 0.2, "b": 1e-310}
    assert msgspec.json.decode(rows[1].value) == {"a": float(2**53), "b": None}
