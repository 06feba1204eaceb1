"""The rules by promtool: what fires, what does not, what recovers; and that the cases would notice if it did not."""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from detector.observability.metrics import Metrics
from detector.observability.replay_run import ReplayCounts, ReplayRun
from detector.records.reasons import REASONS
from tests.watch.shipped import DEPLOY, PROMETHEUS, alert_names, recorded_names, rule_groups

pytestmark = pytest.mark.watch

CASES = sorted((PROMETHEUS / "tests").glob("*.test.yaml"))
RULE_FILES = sorted(PROMETHEUS.glob("*.rules.yaml"))
RUNBOOKS = "https://github.com/reconstream/reconstream/blob/main/docs/runbooks/"
SEVERITIES = {"critical", "warning", "info"}
# The alerts on incidents take theirs from the incidents.
OF_THE_INCIDENTS = "{{ $labels.severity }}"
ANNOTATIONS = {"summary", "description", "runbook_url"}


@functools.cache
def _alerts() -> list[dict[str, Any]]:
    return [rule for _, group in rule_groups() for rule in group["rules"] if "alert" in rule]


def alerts() -> list[dict[str, Any]]:
    """Those that are shipped, for the caller to change as it likes."""
    return copy.deepcopy(_alerts())


@functools.cache
def cases_of(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def ran(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


@dataclass(frozen=True)
class Check:
    """What a case expects of an alert at a time: the severities with which it fires."""

    case: str
    alert: str
    seconds: int
    severities: tuple[str, ...]


def seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text))


def checks(paths: Sequence[Path] = CASES) -> Iterator[Check]:
    for path in paths:
        for case in cases_of(path)["tests"]:
            for check in case.get("alert_rule_test", []):
                severities = tuple(sorted(found["exp_labels"]["severity"] for found in check["exp_alerts"]))
                yield Check(case["name"], check["alertname"], seconds(check["eval_time"]), severities)


def test_the_configuration_and_its_rules_are_sound(promtool: Path) -> None:
    found = ran(promtool, "check", "config", PROMETHEUS / "prometheus.yaml")
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{len(RULE_FILES)} rule files found" in found.stdout
    for path in RULE_FILES:
        found = ran(promtool, "check", "rules", path)
        assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_the_cases_hold(promtool: Path, path: Path) -> None:
    found = ran(promtool, "test", "rules", path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_is_seen_to_fire_to_stay_quiet_and_to_recover() -> None:
    of_alert: dict[str, dict[str, list[Check]]] = defaultdict(lambda: defaultdict(list))
    for check in checks():
        of_alert[check.alert][check.case].append(check)
    assert of_alert.keys() == alert_names()
    for rule in alerts():
        name, severity = rule["alert"], rule["labels"]["severity"]
        cases = [sorted(found, key=lambda check: check.seconds) for found in of_alert[name].values()]

        def fires(check: Check, severity: str = severity) -> bool:
            return bool(check.severities) if severity == OF_THE_INCIDENTS else severity in check.severities

        assert any(map(fires, (check for case in cases for check in case))), f"{name} {severity} never fires"
        assert any(not any(map(fires, case)) for case in cases), (
            f"{name} {severity} has no case in which it stays quiet"
        )
        assert any(
            any(fires(check) and not fires(later) for later in case[at + 1 :])
            for case in cases
            for at, check in enumerate(case)
        ), f"{name} {severity} never recovers"


def test_every_recording_rule_has_a_case() -> None:
    document = yaml.safe_load((PROMETHEUS / "tests" / "recording.test.yaml").read_text())
    asked = {
        re.sub(r"round\((\S+), .*\)", r"\1", one["expr"])
        for case in document["tests"]
        for one in case["promql_expr_test"]
    }
    assert asked == recorded_names()
    assert all(one["exp_samples"] for case in document["tests"] for one in case["promql_expr_test"])


# -- that the cases can fail
# -------------------------------------------------------------------------------------------------------------------


def failed_checks(promtool: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> set[tuple[str, int]]:
    """Alert and time of every check that fails once each alert was changed.

    Each alert is tried by itself, with its own cases: promtool evaluates every rule of a file for every case.
    """
    folder.mkdir()
    found = set()
    for path in CASES:
        document = cases_of(path)
        for name in {check.alert for check in checks([path])}:
            changed = [rule for rule in alerts() if rule["alert"] == name]
            for rule in changed:
                change(rule)
            tests = [
                case for case in document["tests"] if any(one["alertname"] == name for one in case["alert_rule_test"])
            ]
            rules, cases = folder / f"{name}.rules.yaml", folder / f"{name}.test.yaml"
            rules.write_text(dump({"groups": [{"name": "changed", "rules": changed}]}))
            cases.write_text(dump(document | {"rule_files": [rules.name], "tests": tests}))
            text = ran(promtool, "test", "rules", cases)
            for alert, at in re.findall(r"alertname: ?(\w+), ?time: ?(\w+)", text.stdout + text.stderr):
                found.add((alert, seconds(at)))
    return found


def dump(document: dict[str, Any]) -> str:
    """JSON, which YAML holds: it is written much faster."""
    return json.dumps(document)


def test_an_alert_that_never_fired_would_be_noticed(promtool: Path, tmp_path: Path) -> None:
    def never(rule: dict[str, Any]) -> None:
        rule["expr"] = f"({rule['expr']}) unless vector(1) unless on () vector(1)"

    expected = {(check.alert, check.seconds) for check in checks() if check.severities}
    assert failed_checks(promtool, tmp_path / "rules", never) == expected


def test_an_alert_that_always_fired_would_be_noticed(promtool: Path, tmp_path: Path) -> None:
    def always(rule: dict[str, Any]) -> None:
        rule["expr"] = "vector(1)"
        rule.pop("for", None)

    expected = {(check.alert, check.seconds) for check in checks() if not check.severities}
    assert failed_checks(promtool, tmp_path / "rules", always) >= expected


def test_patience_and_a_long_memory_would_be_missed(promtool: Path, tmp_path: Path) -> None:
    """How long a state must last before it is told, and for how long an alert outlasts it, are part of the cases."""

    def hasty(rule: dict[str, Any]) -> None:
        rule.pop("for", None)
        rule.pop("keep_firing_for", None)

    noticed = {alert for alert, _ in failed_checks(promtool, tmp_path / "rules", hasty)}
    patient = {rule["alert"] for rule in alerts() if {"for", "keep_firing_for"} & rule.keys()}
    assert noticed == patient


# -- form
# -------------------------------------------------------------------------------------------------------------------


def test_alerts_say_how_bad_it_is_what_it_is_and_where_to_read_on() -> None:
    uids = {json.loads(path.read_text())["uid"] for path in (DEPLOY / "grafana" / "provisioned").glob("*.json")}
    assert uids
    for rule in alerts():
        name, annotations = rule["alert"], rule["annotations"]
        assert re.fullmatch(r"Reconstream([A-Z][a-z]+)+", name)
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in SEVERITIES | {OF_THE_INCIDENTS}, name
        assert annotations.keys() >= ANNOTATIONS, name
        assert annotations["runbook_url"] == f"{RUNBOOKS}{name}.md"
        assert len(annotations["summary"]) < 160, name
        if "dashboard" in annotations:
            assert re.match(r"/d/([\w-]+)", annotations["dashboard"])[1] in uids, name  # type: ignore[index]


def test_recording_rules_are_named_by_level_metric_and_operation() -> None:
    for _, group in rule_groups():
        for rule in group["rules"]:
            if "record" in rule:
                assert re.fullmatch(r"[a-z_]+:reconstream_[a-z_]+:[a-z0-9_]+", rule["record"])


def test_the_metrics_follow_the_practices_of_prometheus(promtool: Path) -> None:
    """Names, units, suffixes and help, as promtool's linter knows them, of what workers export and replays leave."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.add_stream("pumps", REASONS)
    metrics.add_shadow("pumps")
    metrics.records.set_lag("pumps", "telemetry", 0, 1, 1.0)
    counts = ReplayCounts(1, {"not_json": 1}, 1, 0, ["pumps"], [], 0)
    text = generate_latest(registry) + ReplayRun("nightly", 0, 1.0, 2.0, counts).exposition()
    found = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")
    wrong = text.replace(b"reconstream_polls_late_total", b"reconstream_polls_late")
    assert subprocess.run([promtool, "check", "metrics"], input=wrong, capture_output=True, check=False).returncode
