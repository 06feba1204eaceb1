"""A topic of two partitions, replayed to OpenMetrics text; what Prometheus makes of such a file is in tests/watch."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from detector.alerting.events import decode
from tests.end_to_end.conftest import SERIES, Detector
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

LINE = re.compile(r"reconstream_replay_(\w+)\{(.*)\} (\S+) (\S+)")


def test_a_topic(published: Cluster, detector: Detector, config: Path, tmp_path: Path) -> None:
    ran = detector.here(
        "replay", "-c", config, "--openmetrics", tmp_path / "pumps.om", "--openmetrics-step", "10s",
        "--events", tmp_path / "events.jsonl", "--scores", tmp_path / "scores.parquet",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert f"promtool tsdb create-blocks-from openmetrics {tmp_path / 'pumps.om'} DIRECTORY" in ran.stderr
    last: dict[tuple[str, str], float] = {}
    times: dict[str, list[float]] = {}
    for line in (tmp_path / "pumps.om").read_text().splitlines():
        if match := LINE.fullmatch(line):
            name, labels, value, time = match.groups()
            assert 'job="reconstream-replay",instance="pumps",stream="pumps"' in labels
            last[name, labels.partition('stream="pumps"')[2].lstrip(",")] = float(value)
            if name == "series_score_threshold_ratio":
                times.setdefault(labels.rpartition("series=")[2].strip('"'), []).append(float(time))
    events = [decode(row) for row in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    counts = Counter((event.event, event.severity) for event in events)
    assert counts
    for event in ("opened", "updated", "closed"):
        for severity in ("info", "warning", "critical"):
            assert last["events_total", f'event="{event}",severity="{severity}"'] == counts[event, severity]
    # Each of the two partitions has series of its own; a step is as long as the period, so every score has its own.
    scored: dict[str, list[float]] = {}
    for row in pq.read_table(tmp_path / "scores.parquet").to_pylist():
        if row["score"] is not None:
            scored.setdefault(row["series"], []).append(row["time"].timestamp())
    assert times == scored
    assert times.keys() == set(SERIES)
    assert last["windows_scored_total", ""] == sum(map(len, scored.values()))
