"""The audit and the replay as it was lived, as users run them, with a real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from detector.alerting.events import decode
from tests.end_to_end.conftest import SERIES, Detector, records, settings_document
from tests.end_to_end.test_run_and_replay import by_partition, committed, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


def send(cluster: Cluster, first: int, last: int) -> None:
    for rows in zip(*(records(series)[first:last] for series in SERIES), strict=True):
        for series, (timestamp, value) in zip(SERIES, rows, strict=True):
            cluster.producer.send(
                cluster.input, key=series.encode(), value=value, timestamp_ms=timestamp,
                partition=int(series == "pump-2"),
            )  # fmt: skip
    cluster.producer.flush()


@pytest.fixture
def configs(cluster: Cluster, bundle_dir: Path, tmp_path: Path) -> list[Path]:
    """Two configurations of one worker; the second one looks less closely."""
    paths = []
    for number, ratio in enumerate((0.8, 0.5)):
        document: dict[str, Any] = settings_document(cluster, bundle_dir)
        document["worker"]["state"] = {"checkpoint_interval_seconds": 0.1}
        document["streams"][0]["incidents"] = {"close_ratio": ratio, "close_after": 4}
        paths.append(tmp_path / f"detector-{number}.yaml")
        paths[-1].write_text(json.dumps(document))
    return paths


def test_what_was_lived_under_two_settings(cluster: Cluster, detector: Detector, configs: list[Path]) -> None:
    for number, config in enumerate(configs):
        send(cluster, number * 200, number * 200 + 200)
        worker = detector.start("run", "-c", config)
        wait_until(lambda n=number: committed(cluster) == {0: 400 * n + 400, 1: 200 * n + 200}, worker)
        stop(worker)
        assert worker.returncode == 0
    live = cluster.events()
    assert len(live) > 4

    clean = detector.here("audit", "-c", configs[1], "--json")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    report = json.loads(clean.stdout)
    assert (report["result"], report["compared"]["records"], report["compared"]["events"]) == ("clean", 1200, len(live))
    assert [len(part["epochs"]) for part in report["partitions"]] == [2, 2]

    lived = detector.here("replay", "-c", configs[1], "--as-lived", "--events", "lived.jsonl", "--json")
    assert lived.returncode == 0, lived.stderr
    lines = (detector.folder / "lived.jsonl").read_bytes().splitlines()
    assert by_partition([decode(line) for line in lines]) == live
    assert len(json.loads(lived.stdout)["streams"]) == 2

    # What if the present settings had been in force all the time: other ids.
    what_if = json.loads(detector.here("replay", "-c", configs[1], "--json").stdout)
    assert {i["incident_id"] for i in what_if["incidents"]} != {event.incident_id for event in live}

    # From the middle of the second epoch on, the worker's own state is the beginning.
    part = json.loads(detector.here("replay", "-c", configs[1], "--from-offset", "600", "--json").stdout)
    begun = {place["partition"]: place["what"] for place in part["started_from"]}
    assert begun[0].startswith("checkpoint at offset ")
    assert part["undetermined_incidents"] == 0
    later = {event.incident_id for event in live if event.source.partition == 0 and event.source.last_offset >= 600}
    assert {i["incident_id"] for i in part["incidents"] if i["partition"] == 0} == later

    again = cluster.read(f"{cluster.name}.events")[0]
    cluster.producer.send(again.topic, key=again.key, value=again.value, partition=again.partition)
    cluster.producer.flush()
    damaged = detector.here("audit", "-c", configs[1])
    assert damaged.returncode == 8, damaged.stdout + damaged.stderr
    assert "1 event repeated" in damaged.stdout
    assert f"event {live[0].event_id}" in damaged.stdout
    offset = live[0].source.last_offset
    assert f"--stream pumps --as-lived --from-offset {offset} --to-offset {offset + 1}" in damaged.stdout
    assert "error: 1 difference found" in damaged.stderr

    nothing = detector.here("audit", "-c", configs[1], "--since", "2100-01-01")
    assert nothing.returncode == 0, nothing.stdout + nothing.stderr
    assert "warning: no records were compared" in nothing.stdout
    assert "no record is in that range" in detector.here("replay", "-c", configs[1], "--since", "2100-01-01").stdout

    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    admin.create_partitions({cluster.input: NewPartitions(5)})
    admin.close()
    grown = detector.here("audit", "-c", configs[1])
    assert grown.returncode == 2, grown.stdout + grown.stderr
    assert f"topic {cluster.input} has 5 partitions, more than " in grown.stderr


def test_a_look_back_says_what_it_leaves_open(published: Cluster, detector: Detector, config: Path) -> None:
    """Nobody has run a worker: there is no checkpoint, and pump-1's fault of rows 150 to 170 is under way."""
    document = json.loads(config.read_text())
    document["worker"]["state"] = {"max_replay_records": 100}
    config.write_text(json.dumps(document))
    result = json.loads(detector.here("replay", "-c", config, "--from-offset", "380", "--json").stdout)
    assert {"topic": published.input, "partition": 0, "what": "look-back from offset 280"} in result["started_from"]
    found = [i for i in result["incidents"] if (i["series"], i["kind"]) == ("pump-1", "reconstruction")]
    doubtful = [i["undetermined"] for i in sorted(found, key=lambda i: i["opened_at"])]
    assert doubtful == [True, False]
    refused = detector.here("audit", "-c", config)
    assert refused.returncode in (2, 3)


def test_options_that_contradict_each_other(usage_error: Callable[..., str], config: Path) -> None:
    for arguments, message in (
        (("audit", "-c", config, "--since", "1d", "--from-offset", "3"), "give either times"),
        (("audit", "-c", config, "--from-offset", "3", "--to-offset", "3"), "is not before --to-offset"),
        (("audit", "-c", config, "--stream", "fans"), "has no stream 'fans'"),
        (("replay", "-c", config, "--as-lived", "--threshold", "2"), "--as-lived takes models, settings"),
        (("replay", "--topic", "t", "--model", "m", "--as-lived"), "give its configuration with -c"),
    ):
        assert message in usage_error(*arguments)
