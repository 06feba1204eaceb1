"""One real worker that does all that metrics tell of, and one real Prometheus that scrapes it, for a whole run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from kafka.admin import KafkaAdminClient, NewTopic

from detector.broker import LocalBroker
from detector.broker.ports import free_ports
from models.bundle import load_bundle
from models.registry import open_registry
from tests.end_to_end.conftest import CHANNELS, PERIOD_SECONDS, bundle_dir, settings_document, telemetry
from tests.end_to_end.test_hot_reload import put
from tests.support.commands import status_of
from tests.support.waiting import until
from tests.watch.servers import (
    Alertmanager,
    Prometheus,
    Webhook,
    listening_webhook,
    running_alertmanager,
    running_prometheus,
    served,
)
from tests.watch.shipped import ALERTMANAGER, PROMETHEUS
from tests.worker.support import Cluster

__all__ = ["bundle_dir"]

SCRAPE_SECONDS = 1
NOTIFICATIONS = "http://notifications:9099"
BEHIND_SECONDS = 3 * 86_400  # event time runs a hundred times as fast as the clock, and must not overtake it
FAULTY, QUIET, MUTE = "pump-1", "pump-2", "pump-3"
_PAUSE_SECONDS = 0.1


@dataclass
class Feeder:
    """Publishes telemetry of three series without end, ten seconds of event time after the other.

    Attributes:
        faulty: Whether the first series has a fault now; what it sends is quiet otherwise.
    """

    cluster: Cluster
    faulty: bool = True
    rows: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._start_ms = (int(time.time()) - BEHIND_SECONDS) * 1000
        self._values = {name: telemetry(70 + i, 2000) for i, name in enumerate((FAULTY, QUIET, MUTE))}

    def send(self, rows: int) -> None:
        for _ in range(rows):
            for name, values in self._values.items():
                # One series goes mute, so that silence is found.
                if name != MUTE or self.rows < 100:
                    self._send_row(name, values[self.rows % len(values)])
            self.rows += 1
        self.cluster.producer.flush()

    def _send_row(self, name: str, row: np.ndarray) -> None:
        values = dict(zip(CHANNELS, row.tolist(), strict=True))
        if name == FAULTY and self.faulty and self.rows > 100:
            values["flow"] = 120.0
        stamp = self._start_ms + 1000 * PERIOD_SECONDS * self.rows
        partition = int(name == QUIET)
        key = name.encode()
        self.cluster.producer.send(
            self.cluster.input, key=key, value=json.dumps(values).encode(), timestamp_ms=stamp, partition=partition
        )
        if self.rows % 20 == 7:  # some that are rejected, and some that come twice
            self.cluster.producer.send(
                self.cluster.input, key=key, value=b"no JSON", timestamp_ms=stamp, partition=partition
            )
            self.cluster.producer.send(
                self.cluster.input, key=key, value=json.dumps(values).encode(), timestamp_ms=stamp, partition=partition
            )

    def __enter__(self) -> Feeder:
        def run() -> None:
            while not self._stop.wait(_PAUSE_SECONDS):
                self.send(1)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()


def exported(target: str) -> str:
    """What Prometheus would scrape from host:port."""
    with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
        return answer.read().decode()


@dataclass(frozen=True)
class LiveWorker:
    """A worker as users run it, with what it reads.

    Attributes:
        target: host:port of its endpoints.
        config: Path of its configuration.
        feeder: What comes.
    """

    target: str
    config: Path
    cluster: Cluster
    feeder: Feeder

    def metrics(self) -> str:
        """What it exports now."""
        with urllib.request.urlopen(f"http://{self.target}/metrics", timeout=10) as answer:
            return answer.read().decode()


@pytest.fixture(scope="session")
def live_worker(
    broker: LocalBroker, bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveWorker]:
    """With a model that an alias names, a challenger, series of their own metrics, faults and bad records."""
    folder = tmp_path_factory.mktemp("live")
    cluster = Cluster(broker.bootstrap, f"watch-{uuid.uuid4().hex[:8]}")
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic(cluster.input, 2, 1, topic_configs={"retention.ms": "-1"})])
    admin.close()
    feeder = Feeder(cluster)
    feeder.send(200)
    (port,) = free_ports(1)
    config = folder / "detector.yaml"
    config.write_text(json.dumps(worker_settings(cluster, bundle_dir, folder, port)))
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "detector", "run", "-c", str(config)], cwd=folder, stdout=output, stderr=output,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    worker = LiveWorker(f"127.0.0.1:{port}", config, cluster, feeder)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return 'reconstream_incidents_open{kind="reconstruction"' in worker.metrics() and _open(worker) > 0
        except OSError:
            return False

    try:
        with feeder:
            until(ready, "an open incident")
            yield worker
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        cluster.producer.close()
        if keep := os.environ.get("WATCH_LOGS"):
            shutil.copy(log, keep)


def _open(worker: LiveWorker) -> float:
    lines = [line for line in worker.metrics().splitlines() if line.startswith("reconstream_incidents_open{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if 'kind="reconstruction"' in line)


@pytest.fixture(scope="session")
def node_exporter(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port that serves how a replay ended, as the textfile collector of node_exporter would."""
    folder = tmp_path_factory.mktemp("textfiles")
    rows = [
        {"timestamp": 1_700_000_000 + PERIOD_SECONDS * i, "pump": QUIET, **dict(zip(CHANNELS, row, strict=True))}
        for i, row in enumerate(telemetry(9, 60).tolist())
    ]
    (folder / "pumps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    file = folder / "nightly.prom"
    given = ["replay", folder / "pumps.jsonl", "--model", bundle_dir, "--series-column", "pump", "--metrics", file]
    assert status_of(*given, "--json") == 0
    with served(file.read_bytes) as target:
        yield target


def worker_settings(cluster: Cluster, bundle: Path, folder: Path, port: int) -> dict[str, Any]:
    """The model comes from a registry, where an alias names it; the challenger is the same one of another date."""
    registry = open_registry(str(folder / "registry"))
    now = datetime.now(UTC)
    other = Path(shutil.copytree(bundle, folder / "challenger"))
    put(other, "2026-02-01T00:00:00+00:00")
    for alias, path in (("champion", bundle), ("challenger", other)):
        registry.move("pumps", alias, registry.push("pumps", load_bundle(path), now), now)
    document = settings_document(cluster, bundle)
    document["http"] = {"port": port}
    document["registry"] = {"check_interval_seconds": 0.5}
    document["worker"]["state"] = {"max_resident_series": 1000, "directory": str(folder)}
    # It runs for as long as the tests do, beside others; twenty commits a second would cost a fifth of a processor.
    document["worker"]["commit_interval_seconds"] = 0.5
    (stream,) = document["streams"]
    stream |= {
        "model": f"registry://{folder}/registry/pumps@champion",
        "shadow": {"model": f"registry://{folder}/registry/pumps@challenger"},
        "metrics": {"series": [FAULTY, QUIET]},
        "drift": {"window_seconds": 600},
    }
    return document


def shipped_configuration(folder: Path, targets: dict[str, str], alertmanager: str | None = None) -> dict[str, Any]:
    """The shipped configuration and rules, but for addresses, intervals and how long a state must last.

    Args:
        folder: Where the rules go, so adapted.
        targets: host:port by the name of a scrape job; jobs without one are left out.
        alertmanager: host:port, or None.
    """
    document = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    document["global"] |= {
        "scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s", "scrape_timeout": "1s",
    }  # fmt: skip
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    assert targets.keys() <= jobs.keys(), f"prometheus.yaml has the jobs {', '.join(jobs)}"
    for name, target in targets.items():
        assert len(jobs[name]["static_configs"]) == 1
        jobs[name]["static_configs"][0]["targets"] = [target]
        jobs[name] |= {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": "1s"}
    document["scrape_configs"] = [jobs[name] for name in targets]
    (sender,) = document["alerting"]["alertmanagers"]
    sender["static_configs"][0]["targets"] = [] if alertmanager is None else [alertmanager]
    files = [path for pattern in document["rule_files"] for path in sorted(PROMETHEUS.glob(pattern))]
    assert files
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        (folder / path.name).write_text(yaml.safe_dump(_without_patience(yaml.safe_load(path.read_text()))))
    document["rule_files"] = [str(folder / path.name) for path in files]
    return document


def _without_patience(rules: dict[str, Any]) -> dict[str, Any]:
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            for key in {"for", "keep_firing_for"} & rule.keys():
                rule[key] = "0s"
    return rules


@dataclass(frozen=True)
class Stack:
    """A worker, and the Prometheus that scrapes it.

    Attributes:
        replays: host:port that tells how a replay ended.
    """

    worker: LiveWorker
    prometheus: Prometheus
    replays: str

    def exported_names(self) -> set[str]:
        """Names of all samples that the worker and a replay export."""
        lines = [line for target in (self.worker.target, self.replays) for line in exported(target).splitlines()]
        return {line.split("{")[0].split(" ")[0] for line in lines if line and not line.startswith("#")}


def alertmanager_configuration(folder: Path, webhook: Webhook) -> dict[str, Any]:
    """The shipped configuration, but for the webhook's address and for how long it gathers.

    Args:
        folder: Where the templates go.
        webhook: Who is told.
    """
    document = yaml.safe_load((ALERTMANAGER / "alertmanager.yaml").read_text())
    for route in (document["route"], *document["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    for receiver in document["receivers"]:
        (target,) = receiver["webhook_configs"]
        assert target["url"].startswith(NOTIFICATIONS)
        target["url"] = target["url"].replace(NOTIFICATIONS, webhook.url)
    for path in ALERTMANAGER.glob("*.tmpl"):
        shutil.copy(path, folder)
    return document


@dataclass(frozen=True)
class Alerting:
    """An Alertmanager, and whom it tells."""

    alertmanager: Alertmanager
    webhook: Webhook


@pytest.fixture(scope="session")
def alerting(alertmanager: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    """Told by the Prometheus of `stack`."""
    folder = tmp_path_factory.mktemp("alerting")
    with (
        listening_webhook() as webhook,
        running_alertmanager(alertmanager, folder, alertmanager_configuration(folder, webhook)) as server,
    ):
        yield Alerting(server, webhook)


@pytest.fixture(scope="session")
def stack(
    live_worker: LiveWorker,
    node_exporter: str,
    alerting: Alerting,
    prometheus: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """With the shipped rules; several scrapes and evaluations are through."""
    folder = tmp_path_factory.mktemp("prometheus")
    configuration = shipped_configuration(
        folder / "rules", {"reconstream": live_worker.target}, urlsplit(alerting.alertmanager.url).netloc
    )
    configuration["scrape_configs"].append(
        {"job_name": "node", "scrape_interval": "1s", "scrape_timeout": "1s",
         "static_configs": [{"targets": [node_exporter]}]}
    )  # fmt: skip
    with running_prometheus(prometheus, folder, configuration) as server:
        until(lambda: server.query("count_over_time(up{job='reconstream'}[1m]) >= 5"), "five scrapes of the worker")
        until(
            lambda: all(rule["lastEvaluation"] > "0001-01-02" for rule in server.rules()) and server.rules(),
            "an evaluation of every rule",
        )
        yield Stack(live_worker, server, node_exporter)
