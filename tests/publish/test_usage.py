"""What ``detector publish`` says to wrong arguments, before it talks to any broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cli.publish.command import publish
from detector.cli.publish.times import ahead_of_clock_ns, start_ns
from detector.errors import ConfigError

NS = 1_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "x.csv").write_text("ts,v\n1600000000,1\n")
    return tmp_path / "x.csv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 1.0, "rate": 2.0}, "give one of --speed, --rate and --max"),
        ({"rate": 2.0, "maximum": True}, "give one of --speed, --rate and --max"),
        ({"speed": 0.0}, "--speed must be greater than 0, not 0"),
        ({"rate": -1.0}, "--rate must be greater than 0, not -1"),
        ({"repeat": True}, "--repeat would fill the topic as fast as it can, without end; add --speed or --rate"),
        ({"repeat": True, "maximum": True}, "--repeat would fill the topic as fast as it can, without end; add --spee"),
        ({"rate": float("nan")}, "--rate must be greater than 0, not nan"),
        ({"bootstrap_server": "localhost"}, "--bootstrap-server: 'localhost' is not an address; write host:port"),
        (
            {"bootstrap_server": "localhost:1", "config": Path("detector.yaml")},
            "give either --bootstrap-server or -c, not both; -c brings the address and the login",
        ),
        ({"topic": "a b"}, "--topic: 'a b' is not a topic name"),
        (
            {"start_at": "tomorrow"},
            "--start-at: 'tomorrow' is neither now, nor a time such as 2026-01-02T03:04:05Z, nor a duration before",
        ),
        ({"channels": "w"}, "{file}: there is no column for the channels w; the columns are ts, v"),
    ],
)
def test_options_that_do_not_fit(file: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        publish(**{"files": [file], "topic": "t", **options})  # type: ignore[arg-type]
    assert str(error.value).startswith(message.format(file=file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv: does not exist; name a \.parquet, \.csv or \.jsonl file"):
        publish([tmp_path / "gone.csv"], "t")


def test_files_without_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("ts,v\n")
    with pytest.raises(ConfigError, match=r"x\.csv: there are no rows to publish"):
        publish([tmp_path / "x.csv"], "t")


def test_how_far_ahead_records_will_lie() -> None:
    assert ahead_of_clock_ns(100 * NS, 200 * NS, 100 * NS, None) == 100 * NS
    assert ahead_of_clock_ns(100 * NS, 200 * NS, 100 * NS, 1.0) == 0
    assert ahead_of_clock_ns(100 * NS, 200 * NS, 100 * NS, 2.0) == 50 * NS
    assert ahead_of_clock_ns(130 * NS, 200 * NS, 100 * NS, 0.5) == 30 * NS


def test_where_times_begin() -> None:
    now_ns = 1_700_000_000_123_456_789
    assert start_ns("now", now_ns) == 1_700_000_000_123_000_000
    assert start_ns("2h", now_ns) == 1_700_000_000_123_000_000 - 7200 * NS
    assert start_ns("2020-09-13T12:26:40Z", now_ns) == 1_600_000_000 * NS
