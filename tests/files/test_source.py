"""Files as records of a replay, and as JSON to publish."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import msgspec
import pytest

from detector.errors import ConfigError
from detector.files.merge import json_rows
from detector.files.source import FileSource
from detector.files.table import open_table
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
    shifted = list(json_rows([two], shift_ns=-T0 * NS))
    assert [row.time_ns for row in shifted] == [0, 2 * NS]


def test_published_numbers_read_back_exactly(tmp_path: Path) -> None:
    path = csv(tmp_path / "x.csv", [(T0, 0.1 + 0.2, 1e-310), (T0, 2**53, "inf")])
    rows = list(json_rows([open_table(path)]))
    assert json.loads(rows[0].value) == {"a": 0.1 + 0.2, "b": 1e-310}
    assert msgspec.json.decode(rows[1].value) == {"a": float(2**53), "b": None}
