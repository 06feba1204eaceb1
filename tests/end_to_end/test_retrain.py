"""A stream's model is trained anew on its own history, without what is known to be faulty, and takes over if better.

Continually as well: under a running worker, whose epochs say afterwards which model judged what.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detector.alerting.events import decode
from models.bundle import load_bundle, write_recalibrated
from models.registry import open_registry
from tests.end_to_end.conftest import CHANNELS, PERIOD_SECONDS, START_NS, Detector, settings_document, telemetry
from tests.end_to_end.test_hot_reload import epochs
from tests.end_to_end.test_run_and_replay import Log, by_partition, committed, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FAULTS = {"pump-1": [(150, 170), (300, 320), (420, 440)], "pump-2": [(200, 230), (370, 385), (430, 450)]}
ROWS, FIRST_ROWS = 480, 400


def publish(cluster: Cluster, first: int, stop: int) -> None:
    rows = {name: telemetry(100 + number, ROWS, faults) for number, (name, faults) in enumerate(FAULTS.items())}
    for index in range(first, stop):
        for number, (name, values) in enumerate(rows.items()):
            value = json.dumps(dict(zip(CHANNELS, values[index].tolist(), strict=True))).encode()
            stamp = START_NS // 1_000_000 + index * PERIOD_SECONDS * 1000
            cluster.producer.send(cluster.input, key=name.encode(), value=value, timestamp_ms=stamp, partition=number)
    cluster.producer.flush()


def round_of(trainer: subprocess.Popen[str]) -> dict[str, Any]:
    """The report of the next round, once it is there."""
    assert trainer.stdout is not None
    line = trainer.stdout.readline()
    assert line, trainer.communicate()[1][-3000:]
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_better_model_takes_over_and_another_is_only_offered(
    cluster: Cluster, detector: Detector, bundle_dir: Path, tmp_path: Path
) -> None:
    registry = open_registry(str(tmp_path / "registry"))
    good = load_bundle(bundle_dir)
    registry.move("pumps", "champion", registry.push("pumps", good, NOW), NOW)
    document = settings_document(cluster, tmp_path)
    document["registry"] = {"check_interval_seconds": 0.1}
    document["topics"]["feedback"] = f"{cluster.name}.feedback"
    document["streams"][0]["model"] = "registry://registry/pumps@champion"
    config = tmp_path / "detector.yaml"
    config.write_text(json.dumps(document))
    publish(cluster, 0, FIRST_ROWS)
    worker = detector.start("run", "-c", config)
    log = Log(worker)
    log.wait_for("started")
    wait_until(lambda: committed(cluster) == {0: FIRST_ROWS, 1: FIRST_ROWS}, worker)

    # A model that hears nothing: whatever is trained now finds more.
    dull = replace(good.calibration, threshold=good.calibration.threshold * 1e4)
    write_recalibrated(tmp_path / "dull", good, dull, good.habits, NOW)
    dull_version = registry.push("pumps", load_bundle(tmp_path / "dull"), NOW)
    registry.move("pumps", "champion", dull_version, NOW)
    assert log.wait_for("the model is replaced")["model"] == dull_version.version
    trainer = detector.start(
        "retrain", "-c", config, "--since", "2h", "--fine-tune", "--epochs", "1", "--json", "--every", "10s"
    )
    first = round_of(trainer)
    assert first["known"]["incidents"] >= 4
    assert 4 * 15 < first["left_out"] < 600
    before, found = first["champion"], first["challenger"]["found"]
    assert before["known_faults"] >= found > before["found"] == 0
    assert (first["promote"], first["promoted"]) == (True, True)
    assert first["reasons"][0] == f"it finds {found} of {before['known_faults']} known faults rather than 0"
    aliases = registry.aliases("pumps")
    assert aliases["champion"].digest == aliases["challenger"].digest == first["challenger"]["digest"]
    assert aliases["champion"].note.startswith(first["reasons"][0])
    # Gently: the weights went on from the champion's, in its units.
    challenger = load_bundle(tmp_path / "registry" / "pumps" / "versions" / first["challenger"]["digest"])
    assert challenger.scaler.to_dict() == good.scaler.to_dict()
    assert challenger.rule.options == good.rule.options

    assert log.wait_for("the model is replaced")["before"] == dull_version.version
    publish(cluster, FIRST_ROWS, ROWS)
    again = round_of(trainer)
    assert again["samples"] > first["samples"] == 2 * FIRST_ROWS
    assert again["champion"]["digest"] == first["challenger"]["digest"]
    stop(trainer)
    assert trainer.returncode == 0
    wait_until(lambda: committed(cluster) == {0: ROWS, 1: ROWS}, worker)
    stop(worker)
    in_force = epochs(cluster)
    assert in_force[:6] == [
        version for version in (good.version, dull_version.version, challenger.version) for _ in range(2)
    ]
    audit = detector.here("audit", "-c", config)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    lived = detector.here("replay", "-c", config, "--as-lived", "--events", "lived.jsonl", "--json")
    assert lived.returncode == 0, lived.stderr
    events = [decode(line) for line in (tmp_path / "lived.jsonl").read_bytes().splitlines()]
    assert by_partition(events) == by_partition(cluster.events())
    assert any(event.model.digest == challenger.digest for event in events)

    said = detector.here("feedback", "mark", "-c", config, cluster.events()[0].incident_id, "--verdict", "false-alarm")
    assert said.returncode == 0, said.stderr
    # The threshold in force follows feedback, so that of the next model does, too.
    heard = replace(challenger.calibration, feedback={"verdicts": []})
    write_recalibrated(tmp_path / "heard", challenger, heard, challenger.habits, NOW)
    registry.move("pumps", "champion", registry.push("pumps", load_bundle(tmp_path / "heard"), NOW), NOW)
    champion = registry.aliases("pumps")["champion"].digest
    out = tmp_path / "candidate"
    report = tmp_path / "candidate.html"
    wanted = ("--since", "2h", "--epochs", "1", "--no-promote", "--out", out, "--report", report)
    second = detector.here("retrain", "-c", config, *wanted)
    assert second.returncode == 0, second.stderr
    assert "1 false alarms kept" in second.stdout
    assert "not promoted; the alias challenger names it" in second.stdout
    assert "follows feedback; this history has what 1 of 1 verdicts are about" in second.stdout
    assert registry.aliases("pumps")["champion"].digest == champion
    record: Any = load_bundle(out).calibration.feedback
    page = report.read_text("utf-8")
    assert f"Training of {load_bundle(out).version}" in page
    assert "Champion and challenger" in page
    assert f"{load_bundle(out).calibration.threshold:.6g}, by feedback" in page
    for version in (challenger.version.rpartition("-")[0], "not promoted; the alias challenger names it"):
        assert version in page
    assert record["from_model"] == champion
    (verdict,) = record["verdicts"]
    assert (verdict["verdict"], verdict["after"]) == ("false_alarm", False)
    assert registry.aliases("pumps")["challenger"].digest == load_bundle(out).digest


def test_options_that_do_not_fit(usage_error: Callable[..., str], config: Path, tmp_path: Path) -> None:
    document = json.loads(config.read_text())
    assert "its model is a directory, which no command moves" in usage_error("retrain", "-c", config)
    both = ("retrain", "-c", config, "--out", tmp_path / "b", "--every", "1d")
    assert "--every makes many bundles, --out is one directory" in usage_error(*both)
    other = {**document["streams"][0], "name": "fans", "topic": "fans"}
    config.write_text(json.dumps({**document, "streams": [document["streams"][0], other]}))
    assert "several streams; say which one with --stream: pumps, fans" in usage_error("retrain", "-c", config)
    assert "has no stream 'x'; it has pumps, fans" in usage_error("retrain", "-c", config, "--stream", "x")
