"""The services of docker-compose.yml that watch the worker, as they are written, with programs of Debian."""

from __future__ import annotations

import http.server
import json
import signal
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.deploy.compose import Machine, compose
from tests.support.waiting import until

pytestmark = [pytest.mark.watch, pytest.mark.kafka]


def ends_on_sigterm(machine: Machine, name: str) -> None:
    process = machine.processes[name]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, machine.log(name)
    assert not machine.healthy(name)


def targets(address: str) -> set[str]:
    with urllib.request.urlopen(f"http://{address}/api/v1/targets", timeout=60) as answer:
        return {target["scrapeUrl"] for target in json.load(answer)["data"]["activeTargets"]}


def test_prometheus_takes_its_configuration_and_rules(machine: Machine, prometheus: Path) -> None:
    machine.programs["prometheus"] = prometheus
    address = machine.names["127.0.0.1:9090"]
    assert not machine.healthy("prometheus")
    machine.start("prometheus", f"--web.listen-address={address}")
    until(lambda: machine.healthy("prometheus"), what=lambda: machine.log("prometheus"))
    with urllib.request.urlopen(f"http://{address}/api/v1/rules", timeout=60) as answer:
        groups = json.load(answer)["data"]["groups"]
    names = {rule["name"] for group in groups for rule in group["rules"]}
    assert {"ReconstreamAnomalyOpen", "ReconstreamWorkerAbsent"} <= names
    until(lambda: "http://worker:9464/metrics" in targets(address))
    assert list((machine.room / "prometheus-data").iterdir()), "it keeps nothing in its volume"
    ends_on_sigterm(machine, "prometheus")


def test_alertmanager_takes_its_configuration(machine: Machine, alertmanager: Path) -> None:
    machine.programs["alertmanager"] = alertmanager
    address = machine.names["127.0.0.1:9093"]
    assert not machine.healthy("alertmanager")
    machine.start("alertmanager", f"--web.listen-address={address}")
    until(lambda: machine.healthy("alertmanager"), what=lambda: machine.log("alertmanager"))
    with urllib.request.urlopen(f"http://{address}/api/v2/receivers", timeout=60) as answer:
        assert {receiver["name"] for receiver in json.load(answer)} >= {"critical", "warning", "info"}
    ends_on_sigterm(machine, "alertmanager")


def test_notifications_are_shown(machine: Machine) -> None:
    assert not machine.healthy("notifications")
    machine.start("notifications")
    until(lambda: machine.healthy("notifications"), what=lambda: machine.log("notifications"))
    ends_on_sigterm(machine, "notifications")


def test_grafanas_health_check_asks_for_what_grafana_answers(machine: Machine) -> None:
    # There is no Grafana here; whether the command tells an answer of its address from none is what can be seen.
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    assert "127.0.0.1:3000" in compose()["services"]["grafana"]["healthcheck"]["test"][-1]
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        machine.names["127.0.0.1:3000"] = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert machine.healthy("grafana")
        server.shutdown()
    assert not machine.healthy("grafana")
