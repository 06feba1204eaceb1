"""What may be asked of ``detector replay`` together, and the command that asks for the same again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from detector.cli.replay.asked import Asked
from detector.cli.replay.outputs import Destinations
from detector.errors import ConfigError

CONFIG = Path("detector.yaml")
FILE = Path("pumps.parquet")


def asked(**given: Any) -> Asked:
    nothing: dict[str, Any] = {field.name: None for field in fields(Asked)}
    return Asked(**{**nothing, "files": (), "registry": (), "as_lived": False, "what_if": False, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"files": (FILE,), "topic": "pumps"}, "files are replayed without a cluster"),
        ({"files": (FILE,), "bootstrap_server": "host:9092"}, "files are replayed without a cluster"),
        ({"files": (FILE,), "from_offset": 0}, "offsets belong to topics"),
        ({"files": (FILE,), "to_offset": 5}, "offsets belong to topics"),
        ({"config": CONFIG, "from_offset": 5, "since": "1d"}, "a range begins in one way"),
        ({"config": CONFIG, "from_offset": 5, "look_back": "1d"}, "a range begins in one way"),
        ({"config": CONFIG, "registry": ("s3://models",)}, "it belongs to --as-lived"),
        ({"as_lived": True}, "give its configuration with -c"),
        ({"as_lived": True, "config": CONFIG, "files": (FILE,)}, "give its configuration with -c, and no files"),
        ({"as_lived": True, "config": CONFIG, "threshold": 2.0}, "leave out --topic, --look-back, --threshold"),
        ({"as_lived": True, "config": CONFIG, "shadow": "other"}, "--shadow compares two models"),
        ({"as_lived": True, "config": CONFIG, "what_if": True}, "--what-if tries thresholds of one model"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_read(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        asked(**given).settings()


def test_a_range_must_not_end_before_it_begins() -> None:
    with pytest.raises(ConfigError, match="--since 2026-01-02 is not before --until 2026-01-01"):
        asked(since="2026-01-02", until="2026-01-01").range()


@pytest.mark.parametrize(
    ("given", "from_files", "message"),
    [
        ({"events_topic": "events"}, True, "files are replayed without a cluster"),
        ({"openmetrics_step": "1m"}, False, "name that as well"),
        ({"openmetrics_prefix": "mine_"}, False, "name that as well"),
    ],
)
def test_destinations_that_cannot_be(given: dict[str, Any], from_files: bool, message: str) -> None:
    nothing = {field.name: None for field in fields(Destinations)}
    with pytest.raises(ConfigError, match=message):
        Destinations(**{**nothing, **given}).check(from_files=from_files)


def test_the_command_that_replays_the_same_leaves_out_the_range_alone() -> None:
    lived = asked(as_lived=True, config=CONFIG, stream="pumps", registry=("s3://models",), since="1d", to_offset=9)
    assert lived.again() == ["--as-lived", "-c", "detector.yaml", "--stream", "pumps", "--registry", "s3://models"]
    files = asked(files=(FILE,), model="models/pumps", threshold=2.5, series_column="pump", until="1d", look_back="1h")
    assert files.again() == [
        "pumps.parquet", "--model", "models/pumps", "--threshold", "2.5", "--series-column", "pump",
    ]  # fmt: skip


def test_files_are_named_for_people_but_not_all_of_many() -> None:
    assert asked(files=(FILE, Path("b/c.csv"))).source == "pumps.parquet, c.csv"
    assert asked(files=tuple(Path(f"{n}.csv") for n in range(7))).source.endswith("4.csv and 2 more")
    assert asked(config=CONFIG).source == ""
