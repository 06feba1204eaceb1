"""A worker follows the aliases of a registry: takes up what they name, refuses what is bad, shadows a challenger."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detector.alerting.events import decode
from models.bundle import load_bundle
from models.registry import Registry, Version, open_registry
from tests.end_to_end.conftest import Detector, settings_document
from tests.end_to_end.test_hot_reload import epochs, put
from tests.end_to_end.test_run_and_replay import Log, by_partition, committed, stop, wait_until
from tests.worker.support import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(str(tmp_path / "registry"))


@pytest.fixture
def versions(registry: Registry, bundle_dir: Path, tmp_path: Path) -> list[Version]:
    """The same model under three dates; the bundle of the third is damaged once it is in the registry."""
    found = []
    for month in (1, 2, 3):
        copy = Path(shutil.copytree(bundle_dir, tmp_path / f"bundle-{month}"))
        put(copy, f"2026-0{month}-01T00:00:00+00:00")
        found.append(registry.push("pumps", load_bundle(copy), NOW))
    model = tmp_path / "registry" / "pumps" / "versions" / found[2].digest / "model.onnx"
    model.write_bytes(model.read_bytes()[:-100])
    return found


def configure(cluster: Cluster, tmp_path: Path, **stream: Any) -> Path:
    document = settings_document(cluster, tmp_path)
    document["registry"] = {"check_interval_seconds": 0.1}
    document["streams"][0] |= {"model": "registry://registry/pumps@champion", **stream}
    path = tmp_path / "detector.yaml"
    path.write_text(json.dumps(document))
    return path


def reader_of(url: str) -> Callable[..., float]:
    def value(name: str, **labels: str) -> float:
        line = "reconstream_" + name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "} "
        text = urllib.request.urlopen(url, timeout=5).read().decode()  # noqa: S310
        return next((float(found.removeprefix(line)) for found in text.splitlines() if found.startswith(line)), 0.0)

    return value


def test_an_alias_moves_under_a_running_worker_and_between_two(
    published: Cluster, detector: Detector, registry: Registry, versions: list[Version], tmp_path: Path
) -> None:
    first, second, damaged = versions
    registry.move("pumps", "champion", first, NOW)
    config = configure(published, tmp_path)
    worker = detector.start("run", "-c", config)
    log = Log(worker)
    value = reader_of(log.wait_for("started")["metrics"])
    wait_until(lambda: committed(published) == {0: 800, 1: 400}, worker)

    registry.move("pumps", "champion", damaged, NOW)
    refused = log.wait_for("the new bundle is refused, the old model goes on")
    assert "model.onnx" in refused["reason"]
    assert worker.poll() is None
    # It is asked again and again what the alias names, but the bundle is tried once.
    asked = value("registry_checks_total", outcome="answered", stream="pumps")
    wait_until(lambda: value("registry_checks_total", outcome="answered", stream="pumps") > asked + 3, worker)
    assert value("model_swaps_total", outcome="refused", role="champion", stream="pumps") == 1

    registry.move("pumps", "champion", second, NOW)
    replaced = log.wait_for("the model is replaced")
    assert (replaced["model"], replaced["before"], replaced["windows"]) == (second.version, first.version, "kept")
    for number in range(2):
        live = log.wait_for("live")
        assert (live["partition"], live["next_offset"], live["series"]) == (number, (800, 400)[number], 2 - number)
    wait_until(lambda: epochs(published) == [first.version] * 2 + [second.version] * 2, worker)
    assert value("model_swaps_total", outcome="replaced", role="champion", stream="pumps") == 1
    assert f'version="{second.version}"' in urllib.request.urlopen(_url(log)).read().decode()  # noqa: S310
    stop(worker)
    assert worker.returncode == 0

    # Moved while no worker runs: the next one uses what the alias names now, from an epoch on.
    registry.move("pumps", "champion", first, NOW)
    worker = detector.start("run", "-c", config)
    Log(worker).wait_for("live")
    wait_until(lambda: epochs(published)[-2:] == [first.version] * 2, worker)
    stop(worker)


def _url(log: Log) -> str:
    return str(next(line["metrics"] for line in log.lines if line["event"] == "started"))


def test_a_challenger_scores_in_the_shadow_and_changes_nothing(
    cluster: Cluster, detector: Detector, registry: Registry, versions: list[Version], tmp_path: Path
) -> None:
    from tests.end_to_end.test_audit import send

    first, second, damaged = versions
    registry.move("pumps", "champion", first, NOW)
    registry.move("pumps", "challenger", second, NOW)
    shadow = {"model": "registry://registry/pumps@challenger"}
    config = configure(cluster, tmp_path, shadow=shadow)
    worker = detector.start("run", "-c", config)
    log = Log(worker)
    value = reader_of(log.wait_for("started")["metrics"])
    assert log.wait_for("a challenger scores in the shadow")["model"] == second.version

    send(cluster, 0, 250)
    wait_until(lambda: committed(cluster) == {0: 500, 1: 250}, worker)
    # The challenger is the same model under another date, so both agree about every window.
    verdicts = [value("shadow_windows_total", stream="pumps", verdict=name) for name in ("neither", "both")]
    assert sum(verdicts) == value("windows_scored_total", stream="pumps") > 600
    assert verdicts[1] > 0
    opened = sum(
        value("anomalies_total", kind="reconstruction", severity=s, stream="pumps")
        for s in ("info", "warning", "critical")
    )
    assert value("shadow_incidents_total", stream="pumps") == opened > 0

    registry.move("pumps", "challenger", damaged, NOW)
    assert "model.onnx" in log.wait_for("the challenger is refused")["reason"]
    send(cluster, 250, 300)
    wait_until(lambda: committed(cluster) == {0: 600, 1: 300}, worker)
    assert sum(value("shadow_windows_total", stream="pumps", verdict=name) for name in ("neither", "both")) == value(
        "windows_scored_total", stream="pumps"
    )

    # Promoted: it takes over at an epoch, and then there is nothing left to compare.
    registry.move("pumps", "champion", second, NOW)
    registry.move("pumps", "challenger", None, NOW)
    log.wait_for("the model is replaced")
    wait_until(lambda: epochs(cluster)[-2:] == [second.version] * 2, worker)
    compared = value("windows_scored_total", stream="pumps")
    send(cluster, 300, 400)
    wait_until(lambda: committed(cluster) == {0: 800, 1: 400}, worker)
    assert value("shadow_failures_total", stream="pumps") == 0
    assert sum(value("shadow_windows_total", stream="pumps", verdict=name) for name in ("neither", "both")) == compared
    stop(worker)
    assert worker.returncode == 0

    # What was in force is found in the registry by its digest; nobody has to keep it elsewhere.
    lived = detector.here("replay", "-c", config, "--as-lived", "--events", "lived.jsonl", "--json")
    assert lived.returncode == 0, lived.stderr
    lines = (tmp_path / "lived.jsonl").read_bytes().splitlines()
    assert by_partition([decode(line) for line in lines]) == cluster.events()
