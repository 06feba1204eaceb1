"""The telemetry that the repository ships is what its README says, and carries no labels."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

TELEMETRY = Path(__file__).parents[2] / "examples" / "telemetry"
SERVERS = ["omi-1", "omi-2", "omi-3", "omi-4"]
CHANNELS = [f"c{i:02}" for i in range(19)]


def times(name: str) -> np.ndarray:
    return pq.read_table(TELEMETRY / f"{name}.parquet")["timestamp"].to_numpy()


@pytest.mark.parametrize("part", ["train", "live"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_file_holds_two_weeks_of_every_channel_and_no_label(server, part):
    table = pq.read_table(TELEMETRY / part / f"{server}.parquet")
    assert table.column_names == ["timestamp", *CHANNELS]
    assert {str(table.schema.field(channel).type) for channel in CHANNELS} == {"float"}
    steps = np.diff(table["timestamp"].to_numpy())
    assert set(steps) == {np.timedelta64(5, "m")}
    assert table.num_rows * steps[0] == np.timedelta64(14, "D")
    values = np.stack([table[channel].to_numpy() for channel in CHANNELS])
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1


@pytest.mark.parametrize("server", SERVERS)
def test_the_live_part_follows_the_training_part_at_once(server):
    assert times(f"live/{server}")[0] - times(f"train/{server}")[-1] == np.timedelta64(5, "m")


def test_the_labels_are_rows_of_the_live_part():
    labels = json.loads((TELEMETRY / "labels.json").read_text())
    assert {server: len(faults) for server, faults in labels.items()} == {
        "omi-1": 7,
        "omi-2": 4,
        "omi-3": 6,
        "omi-4": 5,
    }
    for server, faults in labels.items():
        live = set(times(f"live/{server}").astype("datetime64[s]").tolist())
        bounds = [
            datetime.fromisoformat(fault[edge]).replace(tzinfo=None) for fault in faults for edge in ("start", "end")
        ]
        assert set(bounds) <= live
        assert bounds == sorted(bounds)


def test_what_ships_is_small():
    assert sum(path.stat().st_size for path in TELEMETRY.rglob("*") if path.is_file()) < 1_000_000
