"""``detector replay --openmetrics``, loaded into a real Prometheus: it answers with the replay's own numbers."""

from __future__ import annotations

import json
import math
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from detector.alerting.events import Event, decode
from detector.alerting.timestamps import parse_time
from tests.cli.conftest import Made, made
from tests.support.commands import status_of
from tests.watch.promql import metric_names, operands
from tests.watch.servers import Prometheus, running_prometheus
from tests.watch.shipped import dashboard_expressions, dashboards

__all__ = ["made"]
pytestmark = [pytest.mark.watch, pytest.mark.keras]

STEP_SECONDS = 300
ROWS = 900  # of three days
START = 1_700_000_100  # a multiple of five minutes
NAMES = ("web-1", 'say "hi" \\ ü', "web-3")


@dataclass
class Replayed:
    """A replay, as its other outputs tell it, and a Prometheus that holds it."""

    prometheus: Prometheus
    events: list[Event]
    ratios: dict[str, dict[float, float]]
    end: int


def telemetry(path: Path) -> None:
    """Random walks; the last series falls silent half-way."""
    random = np.random.default_rng(11)
    walks = {name: np.cumsum(random.normal(size=(ROWS, 2)), axis=0) for name in NAMES}
    with path.open("w") as file:
        for i in range(ROWS):
            for name, walk in walks.items():
                if name != NAMES[2] or i < ROWS // 2:
                    cpu, memory = walk[i].tolist()
                    row = {"timestamp": START + STEP_SECONDS * i, "host": name, "cpu": cpu, "memory": memory}
                    file.write(json.dumps(row) + "\n")


def ran(*arguments: object) -> None:
    assert status_of(*arguments) == 0


@pytest.fixture(scope="module")
def replayed(
    made: Made, prometheus: Path, promtool: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("replayed")
    telemetry(folder / "hosts.jsonl")
    common = [folder / "hosts.jsonl", "--model", made.path, "--stream", "hosts", "--series-column", "host"]
    ran(
        "replay", *common, "--scores", folder / "scores.parquet", "--events", folder / "events.jsonl",
        "--openmetrics", folder / "replay.om",
    )  # fmt: skip
    # Another one beside it, with the names of live metrics.
    ran(
        "replay", *common, "--threshold", "0.01", "--openmetrics", folder / "strict.om",
        "--openmetrics-prefix", "reconstream_",
    )  # fmt: skip
    for name in ("replay.om", "strict.om"):
        subprocess.run(
            [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=768h",
             folder / name, folder / "data"], check=True, capture_output=True,
        )  # fmt: skip
    rows = pq.read_table(folder / "scores.parquet").to_pylist()
    ratios: dict[str, dict[float, float]] = {}
    for row in rows:
        if row["score"] is not None:
            ratios.setdefault(row["series"], {})[row["time"].timestamp()] = row["score"] / row["threshold"]
    events = [decode(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    with running_prometheus(prometheus, folder, {"global": {}}, data=folder / "data") as server:
        yield Replayed(server, events, ratios, START + STEP_SECONDS * (ROWS - 1))


def test_scores_of_every_series_are_those_of_the_replay(replayed: Replayed) -> None:
    found = replayed.prometheus.samples("reconstream_replay_series_score_threshold_ratio", replayed.end, 4 * 86_400)
    by_series = {json.loads(labels)["series"]: dict(values) for labels, values in found.items()}
    assert by_series.keys() == set(NAMES)
    assert by_series == replayed.ratios


def test_incidents_are_open_when_the_replay_says_so(replayed: Replayed) -> None:
    kinds = Counter(event.kind for event in replayed.events if event.event == "opened")
    assert kinds["reconstruction"] > 2
    assert kinds["silence"] == 1
    for kind in kinds:
        opened = [parse_time(e.updated_at) / 1e9 for e in replayed.events if (e.kind, e.event) == (kind, "opened")]
        closed = [parse_time(e.updated_at) / 1e9 for e in replayed.events if (e.kind, e.event) == (kind, "closed")]
        found = replayed.prometheus.samples(
            f'reconstream_replay_incidents_open{{kind="{kind}"}}', replayed.end, 4 * 86_400
        )
        total = Counter[float]()
        for values in found.values():
            total.update(dict(values))
        # Open from the step of its first event to that of its last.
        expected = {at: sum(t <= at for t in opened) - sum(t < at for t in closed) for at in total}
        assert len(total) > ROWS - 20
        assert dict(total) == expected


def test_counts_at_the_end_are_those_of_all_events(replayed: Replayed) -> None:
    found = replayed.prometheus.query("reconstream_replay_events_total > 0", replayed.end)
    counted = {(labels["event"], labels["severity"]): value for labels, value in found}
    assert counted == Counter((event.event, event.severity) for event in replayed.events)
    found = replayed.prometheus.query("sum by (kind) (reconstream_replay_anomalies_total) > 0", replayed.end)
    opened = Counter(event.kind for event in replayed.events if event.event == "opened")
    assert {labels["kind"]: value for labels, value in found} == opened


def test_the_queries_of_the_documentation_answer(replayed: Replayed) -> None:
    """What a dashboard asks of the live metrics, asked of the replay's."""
    bucket = 'increase(reconstream_replay_score_threshold_ratio_bucket{le="1.0"}[1d])'
    above = f"1 - sum({bucket}) / sum(increase(reconstream_replay_score_threshold_ratio_count[1d]))"
    ((_, share),) = replayed.prometheus.query(above, replayed.end)
    last_day = [r for ratios in replayed.ratios.values() for at, r in ratios.items() if at > replayed.end - 86_400]
    assert math.isclose(share, sum(r > 1 for r in last_day) / len(last_day), rel_tol=0.02)
    ((labels, value),) = replayed.prometheus.query(
        'max by (series) (max_over_time(reconstream_replay_series_score_threshold_ratio{series=~"say .*"}[4d]))',
        replayed.end,
    )
    assert (labels["series"], value) == (NAMES[1], max(replayed.ratios[NAMES[1]].values()))
    found = replayed.prometheus.query("max by (series) (max_over_time(reconstream_replay_series_incidents_open[4d]))")
    assert found == []  # nothing of it is at the present time
    names = replayed.prometheus.label_values("__name__")
    assert names
    assert all(name.startswith("reconstream_") for name in names)


# Of the dashboard for workers, what a replay cannot tell.
NOT_OF_A_REPLAY = {
    "reconstream_series", "reconstream_last_incident_timestamp_seconds", "reconstream_model_info", "ALERTS",
    "ALERTS_FOR_STATE",
}  # fmt: skip


def test_the_shipped_dashboard_of_anomalies_shows_a_replay_with_live_names(replayed: Replayed) -> None:
    (board,) = (one for one in dashboards().values() if one["uid"] == "reconstream-anomalies")
    # The 30 seconds for which Grafana would take a rate are shorter than a step of five minutes.
    expressions = [
        expression.text.replace("[30s]", "[15m]") for expression in dashboard_expressions("anomalies", board)
    ]
    shown, not_shown = 0, set()
    for expression in expressions:
        if replayed.prometheus.query(operands(expression)[0], replayed.end):
            shown += 1
        else:
            not_shown |= metric_names(expression)
    assert not_shown == NOT_OF_A_REPLAY
    assert shown > 15
    jobs = replayed.prometheus.query("count by (job, instance) (reconstream_incidents_open)", replayed.end)
    assert [labels for labels, _ in jobs] == [{"job": "reconstream-replay", "instance": "strict"}]


def test_every_part_of_every_expression_of_the_dashboard_returns_data(replayed: Replayed) -> None:
    times = {"__rate_interval": "1h", "__interval": "1h", "__range": "4d"}
    ((path, dashboard),) = dashboards(of_replays=True).items()
    asked = list(dashboard_expressions(path, dashboard, times))
    assert len(asked) > 20
    # While an incident is open, or at the end, when others are over.
    opened = next(parse_time(event.updated_at) / 1e9 for event in replayed.events if event.event == "opened")
    empty = [
        f"{one.where}: {part}"
        for one in asked
        for part in operands(one.text)
        if not any(replayed.prometheus.query(part, at) for at in (opened + STEP_SECONDS, replayed.end))
    ]
    assert not empty, "\n".join(empty)
