"""Reading Parquet, CSV and JSON Lines as rows of series."""

from __future__ import annotations

import decimal
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.errors import ConfigError
from detector.files.table import Chunk, Table, open_table

NS = 1_000_000_000
T0 = 1_600_000_000 * NS  # 2020-09-13T12:26:40Z


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def whole(table: Table, chunk_rows: int = 8192) -> Chunk:
    chunks = list(table.chunks(chunk_rows))
    return Chunk(
        chunks[0].first_row,
        [name for chunk in chunks for name in chunk.series],
        np.concatenate([chunk.time_ns for chunk in chunks]),
        np.concatenate([chunk.values for chunk in chunks]),
    )


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as error:
        act()
    return str(error.value)


def test_a_labelled_parquet_file_gives_its_channels_only(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "machine.parquet",
        timestamp=pa.array([T0, T0 + NS], pa.timestamp("ns")),
        cpu=pa.array([0.1, None], pa.float32()),
        disk=pa.array([3, 4], pa.int64()),
        label=pa.array([0, 1], pa.int8()),
        changepoint=pa.array([0, 1], pa.int8()),
        note=pa.array(["a", "b"]),
    )
    table = open_table(path)
    assert (table.channels, table.columns.time, table.series, table.rows) == (
        ("cpu", "disk"),
        "timestamp",
        "machine",
        2,
    )
    rows = whole(table)
    assert rows.series == ["machine", "machine"]
    assert rows.time_ns.dtype == np.int64
    assert rows.time_ns.tolist() == [T0, T0 + NS]
    np.testing.assert_array_equal(rows.values, [[float(np.float32(0.1)), 3.0], [np.nan, 4.0]])


def test_the_three_formats_say_the_same(tmp_path: Path) -> None:
    times = ["2020-09-13T12:26:40Z", "2020-09-13T12:26:40.5Z", "2020-09-13T14:26:41+02:00"]
    values = [(1, 0.5, "a"), (2.25, None, "b"), (-3, 1e300, "a")]
    (tmp_path / "x.csv").write_text(
        "time,u,v,host\n"
        + "".join(f"{t},{u},{'' if v is None else v},{h}\n" for t, (u, v, h) in zip(times, values, strict=True))
    )
    (tmp_path / "x.jsonl").write_text(
        "".join(
            json.dumps({"time": t, "u": u, "v": v, "host": h}) + "\n"
            for t, (u, v, h) in zip(times, values, strict=True)
        )
    )
    parquet(
        tmp_path / "x.parquet",
        time=pa.array([T0, T0 + NS // 2, T0 + NS], pa.timestamp("ns", "UTC")),
        u=[1.0, 2.25, -3.0], v=[0.5, None, 1e300], host=pa.array(["a", "b", "a"]).dictionary_encode(),
    )  # fmt: skip
    for suffix in ("csv", "jsonl", "parquet"):
        rows = whole(open_table(tmp_path / f"x.{suffix}", series_column="host"))
        assert rows.series == ["a", "b", "a"], suffix
        assert rows.time_ns.tolist() == [T0, T0 + NS // 2, T0 + NS], suffix
        np.testing.assert_array_equal(rows.values, [[1, 0.5], [2.25, np.nan], [-3, 1e300]], suffix)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([T0], pa.int64()),
        pa.array([T0 // 1000]),
        pa.array([T0 // 1_000_000]),
        pa.array([T0 // NS], pa.int32()),
        pa.array([T0 / NS]),
        pa.array([decimal.Decimal(T0 // NS)]),
        pa.array([T0 // 1000], pa.timestamp("us", "Europe/Berlin")),
        pa.array([T0 // NS], pa.timestamp("s")),
        pa.array(["2020-09-13 12:26:40"]),
        pa.array(["20200913T122640Z"], pa.large_string()),
        pa.array(["1600000000"]),
        pa.array(["2020-09-13 12:26:40"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_times_of_every_kind(tmp_path: Path, column: pa.Array) -> None:
    table = open_table(parquet(tmp_path / "x.parquet", ts=column, v=[1.0]))
    assert whole(table).time_ns.tolist() == [T0]


def test_dates_are_midnights(tmp_path: Path) -> None:
    table = open_table(parquet(tmp_path / "x.parquet", date=pa.array([date(2020, 9, 13)]), v=[1.0]))
    assert whole(table).time_ns.tolist() == [int(datetime(2020, 9, 13, tzinfo=UTC).timestamp()) * NS]


def test_nanoseconds_of_text_survive(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,v\n2020-09-13T12:26:40.123456789Z,1\n1600000000123456789,2\n")
    assert whole(open_table(tmp_path / "x.csv")).time_ns.tolist() == [T0 + 123456789] * 2


def test_the_time_column_is_found_by_name_then_by_kind(tmp_path: Path) -> None:
    when = pa.array([T0], pa.timestamp("ns"))
    path = parquet(tmp_path / "a.parquet", measured=when, Time=when, v=[1.0])
    assert open_table(path).columns.time == "Time"
    path = parquet(tmp_path / "b.parquet", v=[1.0], measured=when)
    assert open_table(path).columns.time == "measured"
    (tmp_path / "c.jsonl").write_text('{"v": 1, "seen_at": "2020-09-13T12:26:40Z"}\n')
    assert open_table(tmp_path / "c.jsonl").columns.time == "seen_at"
    assert open_table(path, time_column="v", channels=["v"]).columns.time == "v"


def test_columns_that_are_named_are_read_in_that_order(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", ts=[T0], a=[1.0], b=[2.0], label=[1])
    assert open_table(path, channels=["label", "b"]).channels == ("label", "b")
    assert whole(open_table(path, channels=["b", "a"])).values.tolist() == [[2.0, 1.0]]
    assert open_table(path, ignore={"a"}).channels == ("b", "label")
    assert open_table(path, series="other").series == "other"


def test_rows_are_numbered_across_chunks(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", ts=np.arange(10) * NS + T0, v=np.arange(10.0))
    (tmp_path / "x.csv").write_text("ts,v\n" + "".join(f"{T0 + i * NS},{i}\n" for i in range(10)))
    (tmp_path / "x.jsonl").write_text("".join(f'{{"ts": {T0 + i * NS}, "v": {i}}}\n\n' for i in range(10)))
    for name in (path.name, "x.csv", "x.jsonl"):
        chunks = list(open_table(tmp_path / name).chunks(4))
        assert [chunk.first_row for chunk in chunks] == [0, 4, 8], name
        assert [len(chunk.series) for chunk in chunks] == [4, 4, 2], name
        assert np.concatenate([chunk.values for chunk in chunks]).ravel().tolist() == list(range(10)), name
        assert open_table(tmp_path / name).time_range_ns() == (T0, T0 + 9 * NS), name


def test_csv_integers_may_turn_to_fractions_after_the_sample(tmp_path: Path) -> None:
    # The sample that decides the kinds of columns is one megabyte.
    lines = [f"{T0 // NS + i},{i}\n" for i in range(100_000)]
    (tmp_path / "x.csv").write_text("ts,v\n" + "".join(lines) + f"{T0 // NS + 100_000},0.5\n2020-09-14T16:13:21Z,nan\n")
    rows = whole(open_table(tmp_path / "x.csv"))
    assert rows.values[-2, 0] == 0.5
    assert np.isnan(rows.values[-1, 0])
    assert rows.time_ns[-1] - rows.time_ns[-2] == NS


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_delimiters(tmp_path: Path, delimiter: str) -> None:
    text = "ts,a,b\n1600000000,1,NA\n".replace(",", delimiter)
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    rows = whole(open_table(tmp_path / "x.csv"))
    np.testing.assert_array_equal(rows.values, [[1.0, np.nan]])


def test_a_column_without_values_is_a_channel_of_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,a,b\n1600000000,1,\n")
    (tmp_path / "x.jsonl").write_text('{"ts": 1600000000, "a": NaN, "b": null}\n')
    assert np.isnan(whole(open_table(tmp_path / "x.csv")).values).tolist() == [[False, True]]
    assert np.isnan(whole(open_table(tmp_path / "x.jsonl")).values).tolist() == [[True, True]]


def test_jsonl_fields_may_be_absent_and_appear_later(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"ts": 1600000000, "a": 1}\n{"ts": "2020-09-13T12:26:41Z", "b": 2.5}\n')
    rows = whole(open_table(tmp_path / "x.jsonl"))
    assert rows.time_ns.tolist() == [T0, T0 + NS]
    np.testing.assert_array_equal(rows.values, [[1, np.nan], [np.nan, 2.5]])


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,v\n1,2\n")
    digest = open_table(tmp_path / "x.csv").digest()
    assert digest == hashlib.sha256(b"ts,v\n1,2\n").hexdigest()
    (tmp_path / "y.csv").write_text("ts,v\n1,2\n")
    assert open_table(tmp_path / "y.csv").digest() == digest
    (tmp_path / "x.csv").write_text("ts,v\n1,3\n")
    assert open_table(tmp_path / "x.csv").digest() != digest


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "gone.parquet"
    assert refused(lambda: open_table(missing)) == f"{missing}: does not exist; name a .parquet, .csv or .jsonl file"
    assert "is a directory, not a file" in refused(lambda: open_table(tmp_path))
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    assert "files of kind '.xlsx' cannot be read; use .parquet, .csv or .jsonl" in refused(
        lambda: open_table(tmp_path / "x.xlsx")
    )
    (tmp_path / "x.parquet").write_bytes(b"not parquet at all")
    assert "x.parquet: not a readable Parquet file" in refused(lambda: open_table(tmp_path / "x.parquet"))
    for name, needed in (("e.csv", "a header line"), ("e.jsonl", "one JSON object a line")):
        (tmp_path / name).write_text("\n")
        assert f"{name}: the file is empty; it needs {needed}" in refused(lambda name=name: open_table(tmp_path / name))


def test_columns_that_do_not_fit(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", when=[T0], v=[1.0], name=["a"])
    assert refused(lambda: open_table(path)) == (
        f"{path}: no time column found: none is called timestamp, time, ts, datetime, date and none holds times; "
        "name it with --time-column. The columns are when, v, name"
    )
    assert "no column 'w' (--time-column); the columns are when, v, name" in refused(
        lambda: open_table(path, time_column="w")
    )
    assert "no column 's' (--series-column)" in refused(lambda: open_table(path, "when", series_column="s"))
    assert "no column for the channels w; the columns are when, v, name" in refused(
        lambda: open_table(path, "when", channels=["v", "w"])
    )
    assert "the channel 'name' must hold numbers, but the column holds text" in refused(
        lambda: open_table(path, "when", channels=["name"])
    )
    assert "name at least one channel, and each once, not v, v" in refused(
        lambda: open_table(path, "when", channels=["v", "v"])
    )
    assert "--series) or a column of names (--series-column), not both" in refused(
        lambda: open_table(path, "when", series_column="name", series="x")
    )
    only_text = parquet(tmp_path / "t.parquet", ts=[T0], name=["a"], label=[1])
    assert "no column of numbers besides the time 'ts'; the columns are ts, name, label" in refused(
        lambda: open_table(only_text)
    )
    (tmp_path / "d.csv").write_text("ts,v,v\n1,2,3\n")
    assert "several columns are called 'v'; names must differ" in refused(lambda: open_table(tmp_path / "d.csv"))


def test_rows_that_are_wrong_are_named(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "x.parquet", ts=pa.array([T0, T0, None], pa.timestamp("ns")), v=[1.0] * 3, s=["a", "", "b"]
    )
    assert refused(lambda: list(open_table(path).chunks(2))) == (
        f"{path}, row 3: column 'ts': the time is null. Repair the row, or name another column with --time-column"
    )
    assert f"{path}, row 2: column 's' is empty" in refused(lambda: whole(open_table(path, series_column="s")))
    (tmp_path / "x.csv").write_text("ts,v\n1600000000,1\nyesterday,2\n")
    assert "x.csv, row 2: column 'ts': 'yesterday' is neither a number nor ISO 8601" in refused(
        lambda: whole(open_table(tmp_path / "x.csv"))
    )
    (tmp_path / "y.csv").write_text("ts,v\n1600000000,1\n1600000001,two\n")
    message = refused(lambda: whole(open_table(tmp_path / "y.csv", channels=["v"])))
    assert "the channel 'v' must hold numbers, but the column holds text" in message
    old = parquet(tmp_path / "o.parquet", ts=pa.array([-NS], pa.timestamp("ns")), v=[1.0])
    assert "row 1: column 'ts'" in refused(lambda: whole(open_table(old)))


def test_a_csv_value_that_is_no_number_after_the_sample(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,v\n" + "1600000000,1\n" * 100_000 + "1600000000,two\n")
    message = refused(lambda: whole(open_table(tmp_path / "x.csv")))
    assert message.startswith(f"{tmp_path / 'x.csv'}: ")
    assert "'two'" in message
    assert message.endswith("Repair the file, or name the columns to read with --channels")


def test_a_parquet_file_that_is_cut_short(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", ts=np.arange(5000) * NS + T0, v=np.random.default_rng(0).normal(size=5000))
    data = bytearray(path.read_bytes())
    data[100:20_000] = bytes(19_900)
    path.write_bytes(data)
    assert f"{path}: the file is damaged: " in refused(lambda: whole(open_table(path)))


def test_jsonl_lines_that_are_wrong_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"ts": 1600000000, "v": 1}\n\n{"ts": 1600000000, "v": }\n')
    assert refused(lambda: open_table(path)).startswith(f"{path}, line 3: not JSON: ")
    path.write_text('{"ts": 1600000000, "v": 1}\n[1, 2]\n')
    assert refused(lambda: open_table(path)) == f'{path}, line 2: each line must be an object like {{"cpu": 1.5}}'
    ok = '{"ts": 1600000000, "v": 1}\n' * 10_000
    path.write_text(ok + '{"ts": 1600000000, "v": "x"}\n')
    assert refused(lambda: whole(open_table(path))) == (
        f"{path}, line 10001: the channel 'v' is 'x', not a usable number. "
        "Repair the line, or name the columns to read with --channels"
    )
    path.write_text(ok + '{"ts": 1600000000, "v": 1' + "0" * 400 + "}\n")
    assert "line 10001: the channel 'v' is" in refused(lambda: whole(open_table(path)))
