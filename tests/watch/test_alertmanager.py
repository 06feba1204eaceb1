"""The shipped Alertmanager configuration: who is told, what mutes what, and an anomaly that is told and is over."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from detector.broker.ports import free_ports
from detector.observability.metrics import Metrics
from tests.support.waiting import until
from tests.watch.conftest import Alerting, Stack, alertmanager_configuration, shipped_configuration
from tests.watch.promql import operands
from tests.watch.servers import (
    Alertmanager,
    Webhook,
    ask,
    listening_webhook,
    running_alertmanager,
    running_prometheus,
    served,
)
from tests.watch.shipped import ALERTMANAGER, alert_names, rule_groups
from tests.watch.test_rules import seconds

pytestmark = pytest.mark.watch

CONFIGURATION = ALERTMANAGER / "alertmanager.yaml"
ANOMALY, STORM, STALLED = "ReconstreamAnomalyOpen", "ReconstreamIncidentStorm", "ReconstreamLoopStalled"


def amtool_ran(amtool: Path, *arguments: object) -> str:
    ran = subprocess.run([str(amtool), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_configuration_is_valid(amtool: Path) -> None:
    assert "1 templates" in amtool_ran(amtool, "check-config", CONFIGURATION)


def test_it_names_only_alerts_that_there_are() -> None:
    named = set(re.findall(r"Reconstream\w+", CONFIGURATION.read_text()))
    assert named
    assert named <= alert_names()


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=ReconstreamAnomalyOpen severity=critical stream=servers", "critical"),
        ("alertname=ReconstreamAnomalyOpen severity=warning stream=servers", "warning"),
        ("alertname=ReconstreamAnomalyOpen severity=info stream=servers", "info"),
        ("alertname=ReconstreamLoopStalled severity=critical instance=worker:9464", "critical"),
        ("alertname=ReconstreamDeadLetters severity=info stream=servers", "info"),
        ("alertname=SomebodyElses", "warning"),
    ],
)
def test_severity_decides_who_is_told(amtool: Path, labels: str, receiver: str) -> None:
    amtool_ran(
        amtool, "config", "routes", "test", f"--config.file={CONFIGURATION}", f"--verify.receivers={receiver}",
        *labels.split(),
    )  # fmt: skip


def test_every_shipped_severity_has_a_receiver_of_its_own() -> None:
    document = yaml.safe_load(CONFIGURATION.read_text())
    assert {one["name"] for one in document["receivers"]} == {"critical", "warning", "info"}


def test_what_happens_once_lasts_until_it_is_told() -> None:
    """Alertmanager never tells of an alert that is over before it has gathered what is to be told together."""
    routes = yaml.safe_load(CONFIGURATION.read_text())["route"]["routes"]
    (route,) = [route for route in routes if "info" in str(route["matchers"])]
    # The latter where others of the stream are told already.
    gathers = max(seconds(route["group_wait"]), seconds(route["group_interval"]))
    once = [
        rule
        for _, group in rule_groups()
        for rule in group["rules"]
        if rule.get("labels", {}).get("severity") == "info" and "increase(" in rule["expr"]
    ]
    assert len(once) == 2
    for rule in once:
        (window,) = set(re.findall(r"\[(\w+)\]", rule["expr"]))
        # A minute for the scrapes at both ends of the window.
        assert seconds(window) + seconds(rule.get("keep_firing_for", "0s")) - 60 > gathers, rule["alert"]


@pytest.fixture(scope="module")
def alone(alertmanager: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Alertmanager, Webhook]]:
    """An Alertmanager with the shipped configuration that is given alerts by hand."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with (
        listening_webhook() as webhook,
        running_alertmanager(alertmanager, folder, alertmanager_configuration(folder, webhook)) as server,
    ):
        yield server, webhook


def alert(name: str, severity: str, **labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} of the test", "description": "d"},
        "startsAt": datetime.now(UTC).isoformat(),
    }


W1, W2 = "w1:9464", "w2:9464"


@pytest.mark.parametrize(
    ("case", "cause", "muted", "told"),
    [
        (
            "a stalled worker mutes its own incidents only",
            alert(STALLED, "critical", instance=W1),
            [
                alert(ANOMALY, "critical", instance=W1, stream="a"),
                alert("ReconstreamSeriesSilent", "warning", instance=W1, stream="b"),
                alert("ReconstreamChannelsFrozen", "warning", instance=W1, stream="b"),
                alert("ReconstreamPollNearLimit", "warning", instance=W1),
            ],
            [
                alert(ANOMALY, "critical", instance=W2, stream="c"),
                # Muted alerts mute, too; but not those of other workers.
                alert(ANOMALY, "warning", instance=W2, stream="a"),
                alert("ReconstreamSeriesSilent", "info", instance=W2, stream="b"),
                # It does not count the stalled worker.
                alert(STORM, "critical", stream="d"),
                alert("ReconstreamLagging", "warning", stream="a"),
            ],
        ),
        (
            "one that is down as well",
            alert("ReconstreamTargetDown", "critical", instance=W1),
            [alert(ANOMALY, "warning", instance=W1, stream="a")],
            [alert(ANOMALY, "warning", instance=W2, stream="a")],
        ),
        (
            "no worker at all is said once",
            alert("ReconstreamWorkerAbsent", "critical"),
            [alert("ReconstreamTargetDown", "critical", instance=W1)],
            [alert("ReconstreamDeadLetters", "info", stream="a")],
        ),
        (
            "a storm speaks for the incidents of its stream",
            alert(STORM, "critical", stream="a"),
            [
                alert(ANOMALY, "critical", instance=W1, stream="a"),
                alert("ReconstreamSeriesSilent", "warning", instance=W2, stream="a"),
            ],
            [alert(ANOMALY, "warning", instance=W1, stream="b")],
        ),
        (
            "critical mutes the rest of the same about a stream",
            alert("ReconstreamLagging", "critical", stream="a"),
            [alert("ReconstreamLagging", "warning", stream="a")],
            [
                alert("ReconstreamLagging", "warning", stream="b"),
                alert("ReconstreamInputInvalid", "warning", stream="a"),
            ],
        ),
        (
            "warning mutes info of the same about a stream",
            alert(ANOMALY, "warning", instance=W1, stream="a"),
            [alert(ANOMALY, "info", instance=W1, stream="a")],
            [alert(ANOMALY, "info", instance=W1, stream="b"), alert(ANOMALY, "info", instance=W2, stream="a")],
        ),
    ],
)
def test_what_mutes_what(
    alone: tuple[Alertmanager, Webhook],
    case: str,
    cause: dict[str, Any],
    muted: list[dict[str, Any]],
    told: list[dict[str, Any]],
) -> None:
    server, webhook = alone
    job = f"reconstream {case}"

    def of_case(one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "labels": {**one["labels"], "job": job}}

    # Nothing is muted before the cause is there.
    cause, muted, told = of_case(cause), [of_case(one) for one in muted], [of_case(one) for one in told]
    server.send(cause)
    until(lambda: webhook.alerts("firing", **cause["labels"]), "the cause to be told")
    server.send(*muted, *told)
    for one in told:
        until(lambda labels=one["labels"]: webhook.alerts("firing", **labels), f"{one['labels']} to be told")
    states = {tuple(sorted(one["labels"].items())): one["status"] for one in server.alerts()}
    for one in muted:
        assert states[tuple(sorted(one["labels"].items()))]["inhibitedBy"], one["labels"]
        assert not webhook.alerts("firing", **one["labels"])
    for one in [cause, *told]:
        assert states[tuple(sorted(one["labels"].items()))]["state"] == "active"


def test_workers_of_a_stream_are_one_notification(alone: tuple[Alertmanager, Webhook]) -> None:
    server, webhook = alone
    together = [
        alert(ANOMALY, "warning", job="reconstream together", instance=instance, stream="a") for instance in (W1, W2)
    ]
    server.send(*together)
    until(lambda: webhook.alerts("firing", job="reconstream together"), "to be told")
    groups = [one for one in webhook.told if one["commonLabels"].get("job") == "reconstream together"]
    assert [len(one["alerts"]) for one in groups] == [2]
    assert groups[0]["path"] == "/warning"


@pytest.mark.kafka
@pytest.mark.keras
def test_an_anomaly_of_a_worker_is_told_and_over(stack: Stack, alerting: Alerting) -> None:
    webhook, feeder = alerting.webhook, stack.worker.feeder
    anomaly = {"alertname": ANOMALY, "stream": "pumps", "instance": stack.worker.target}
    (told, *_) = until(lambda: webhook.alerts("firing", **anomaly), "the anomaly to be told")
    assert re.search("anomal(y is|ies are) open on pumps", told["annotations"]["summary"])
    assert told["annotations"]["runbook_url"].endswith(f"/{ANOMALY}.md")
    notification = next(one for one in webhook.told if told in one["alerts"])
    assert notification["path"] == f"/{told['labels']['severity']}"
    assert notification["groupLabels"] == {"alertname": ANOMALY, "job": "reconstream", "stream": "pumps"}
    assert until(lambda: webhook.alerts("firing", alertname="ReconstreamSeriesSilent", stream="pumps"), "silence")

    feeder.faulty = False
    try:

        def over() -> bool:
            open_now = [one for one in stack.prometheus.alerts() if one["labels"]["alertname"] == ANOMALY]
            return not open_now and bool(webhook.alerts("resolved", **anomaly))

        until(over, "the end of the anomaly to be told")
    finally:
        feeder.faulty = True


def test_a_stalled_worker_is_told_instead_of_its_incidents(
    prometheus: Path, alone: tuple[Alertmanager, Webhook], tmp_path: Path
) -> None:
    """All the way from what a worker exports, by the shipped rules; its loop comes round again in the end."""
    server, webhook = alone
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.add_stream("stalled")
    metrics.delivery.loop_timestamp.set(time.time() - 3600)
    with served(lambda: generate_latest(registry)) as target:
        configuration = shipped_configuration(tmp_path / "rules", {"reconstream": target}, urlsplit(server.url).netloc)
        with running_prometheus(prometheus, tmp_path, configuration) as asked:
            until(lambda: webhook.alerts("firing", alertname=STALLED, instance=target), "the stall to be told")
            metrics.scores.incidents_open.labels("stalled", "reconstruction", "critical").set(2)
            anomaly = {"alertname": ANOMALY, "stream": "stalled", "instance": target}

            def inhibited() -> bool:
                found = [one for one in server.alerts() if anomaly.items() <= one["labels"].items()]
                return bool(found and found[0]["status"]["inhibitedBy"])

            until(inhibited, "the anomaly to be muted")
            assert not webhook.alerts("firing", **anomaly)
            metrics.delivery.loop_timestamp.set(time.time() + 3600)
            assert until(lambda: webhook.alerts("firing", **anomaly), "the anomaly to be told")
            assert asked.query("ALERTS{alertname='ReconstreamLoopStalled', alertstate='firing'}") == []


@pytest.mark.kafka
@pytest.mark.keras
def test_alerts_have_the_labels_by_which_they_mute_and_are_muted(stack: Stack) -> None:
    """One that lacks such a label would be equal to all others that lack it."""
    expressions = {
        rule["alert"]: rule["expr"] for _, group in rule_groups() for rule in group["rules"] if "alert" in rule
    }
    matched = 0
    for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]:
        for name in re.findall(r"Reconstream\w+", str(rule)):
            for label in rule.get("equal", ()):
                found = stack.prometheus.query(operands(expressions[name])[0])
                assert found, name
                assert all(label in labels for labels, _ in found), (name, label)
                matched += 1
    assert matched > 10


def test_texts_of_notifications(amtool: Path, tmp_path: Path) -> None:
    firing = {
        "status": "firing",
        "labels": {"alertname": ANOMALY, "severity": "critical", "instance": W1, "stream": "a"},
        "annotations": {
            "summary": "2 critical anomalies are open on a", "description": "Series behave.",
            "runbook_url": "https://example.org/runbook.md", "dashboard": "/d/reconstream-anomalies?var-stream=a",
        },
    }  # fmt: skip
    resolved = {**copy.deepcopy(firing), "status": "resolved"}
    data = {"status": "firing", "commonLabels": {"alertname": ANOMALY, "stream": "a"}, "alerts": [firing, resolved]}
    file = tmp_path / "data.json"
    file.write_text(json.dumps(data))

    def rendered(template: str) -> str:
        return amtool_ran(
            amtool, "template", "render", f"--template.glob={ALERTMANAGER}/*.tmpl", f"--template.data={file}",
            "--template.text", f'{{{{ template "{template}" . }}}}',
        )  # fmt: skip

    assert rendered("reconstream.title").strip() == f"[1 FIRING, 1 RESOLVED] {ANOMALY} on a"
    paragraphs = [paragraph.splitlines() for paragraph in rendered("reconstream.text").strip().split("\n\n")]
    assert paragraphs == [
        [
            f"2 critical anomalies are open on a (critical, {W1})",
            "Series behave.",
            "What to do: https://example.org/runbook.md",
            "Dashboard: http://localhost:3000/d/reconstream-anomalies?var-stream=a",
        ],
        [f"Over: 2 critical anomalies are open on a (critical, {W1})", "Series behave."],
    ]


def test_notifications_are_shown(alertmanager: Path, tmp_path: Path) -> None:
    """What docker-compose.yml runs at the address that the configuration names."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, str(ALERTMANAGER / "notifications.py"), str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"notifications are shown here; waiting on port {port}\n"
        ask(f"http://127.0.0.1:{port}/")
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(f"http://127.0.0.1:{port}/warning", ["nothing"])
        configuration = alertmanager_configuration(tmp_path, Webhook(f"http://127.0.0.1:{port}"))
        with running_alertmanager(alertmanager, tmp_path, configuration) as server:
            one = alert("ReconstreamLagging", "warning", stream="a\x1b[31m")
            one["annotations"] |= {"summary": "a\x1b[31m is behind", "runbook_url": "https://example.org/x.md"}
            server.send(one)
            line = process.stdout.readline()
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d WARNING  ReconstreamLagging: a�\[31m is behind  https://example.org/x.md\n", line
        )
    finally:
        process.terminate()
        process.wait(20)
    assert process.returncode == 0
