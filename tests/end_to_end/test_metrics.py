"""The table of metrics against what a running worker exports, in both directions; and what a replay leaves."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from detector.observability.factory import MetricDescription
from detector.observability.library import LIBRARY
from detector.observability.metrics import Metrics
from tests.end_to_end.conftest import Detector, settings_document
from tests.end_to_end.test_run_and_replay import Log, committed, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

# They show up only after a day of event time.
WITHOUT_SAMPLES = {
    "reconstream_input_drift_psi", "reconstream_input_drift_psi_limit",
    "reconstream_score_drift_psi", "reconstream_score_drift_psi_limit",
    # The challenger is the stream's own model here, so it rests.
    "reconstream_shadow_model_info",
}  # fmt: skip
SUFFIX = {"counter": "_total", "info": "_info"}
IMPLIED = {"histogram": {"le"}}


def scrape(url: str) -> str:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def exported(text: str) -> dict[str, tuple[str, set[frozenset[str]]]]:
    """Kind and sets of labels of each metric, by the name that the table uses."""
    return {
        family.name + SUFFIX.get(family.type, ""): (
            family.type,
            {frozenset(sample.labels) - IMPLIED.get(family.type, set()) for sample in family.samples},
        )
        for family in text_string_to_metric_families(text)
    }


def described() -> dict[str, MetricDescription]:
    found = [*Metrics(CollectorRegistry()).descriptions, *LIBRARY]
    return {metric.name: metric for metric in found}


def test_the_table_is_what_a_running_worker_exports(
    published: Cluster, detector: Detector, bundle_dir: Path, tmp_path: Path
) -> None:
    document = settings_document(published, bundle_dir)
    document["streams"][0] |= {"shadow": {"model": str(bundle_dir)}, "metrics": {"series": ["pump-1", "pump-9"]}}
    config = tmp_path / "detector.yaml"
    config.write_text(json.dumps(document))
    worker = detector.start("run", "-c", config)
    log = Log(worker)
    url = log.wait_for("started")["metrics"]
    log.wait_for("live")
    log.wait_for("live")
    wait_until(lambda: committed(published) == {0: 800, 1: 400}, worker)
    # Commits are counted as they come; stock of series is taken now and then.
    awaited = [
        'reconstream_last_incident_timestamp_seconds{stream="pumps"}',
        'reconstream_event_timestamp_seconds{stream="pumps"}',
        'reconstream_series_incidents_open{series="pump-1"',
    ]
    wait_until(lambda: all(sample in scrape(url) for sample in awaited), worker)
    text = scrape(url)
    stop(worker)

    found, table = exported(text), described()
    assert found.keys() == table.keys()
    assert {name: kind for name, (kind, _) in found.items()} == {name: metric.kind for name, metric in table.items()}
    assert {name for name, (_, labels) in found.items() if not labels} == WITHOUT_SAMPLES
    for name, (_, labels) in found.items():
        assert labels <= {frozenset(table[name].labels)}, name
    # Of the series that are listed only those that there are; of others, none.
    assert {part.split('"')[0] for part in text.split(' series="')[1:]} <= {"pump-1"}
    assert 'reconstream_series_incidents_open{series="pump-1",stream="pumps"}' in text

    left = tmp_path / "nightly.prom"
    result = detector.run("replay", "-c", config, "--metrics", left, "--json")
    assert result.returncode == 0, result.stderr
    incidents = json.loads(result.stdout)["incidents"]
    values = dict(line.rsplit(" ", 1) for line in left.read_text().splitlines() if not line.startswith("#"))
    assert values['reconstream_replay_run_success{replay="nightly"}'] == "1.0"
    assert values['reconstream_replay_run_records{replay="nightly"}'] == "1200.0"
    told = {name: float(value) for name, value in values.items() if "replay_run_incidents{" in name}
    assert sum(told.values()) == len(incidents) > 0
