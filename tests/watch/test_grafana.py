"""The Grafana dashboards: what is committed is what the code generates, and Grafana and Prometheus can use it."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import prometheus_client
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import PROVISIONED, generated, main
from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.dashboards.addresses import DOCUMENTS, RUNBOOKS, runbook
from deploy.grafana.dashboards.page import COLUMNS
from detector.dashboard.query import Query
from detector.observability import replay_run
from detector.observability.metrics import Metrics
from detector.observability.replay_metrics import FAMILIES, REPLAY_PREFIX
from detector.settings import DashboardSettings
from tests.watch.promql import metric_names
from tests.watch.shipped import Expression, dashboard_expressions

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yaml"))
PROVISIONING = ROOT / "deploy/grafana/provisioning"

FILES = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(PROVISIONED.glob("*.json"))}
PANELS = [
    pytest.param(document, panel, id=f"{document['title']}/{panel['title']}")
    for document in FILES.values()
    for panel in document["panels"]
    if panel["type"] != "row"
]
EXPRESSIONS = [one for name, document in FILES.items() for one in dashboard_expressions(name, document)]
UNITS = {value for value in vars(units).values() if isinstance(value, str)}
# What Prometheus puts on whatever it scrapes, and what histograms have.
LABELS_OF_ALL = {"job", "instance", "le"}


def known_metrics() -> dict[str, set[str]]:
    """Labels of every time series that a worker or a replay makes, by the name of the series."""
    worker = Metrics(prometheus_client.CollectorRegistry()).descriptions
    described = [(metric.name, metric.kind, metric.labels) for metric in (*worker, *replay_run.descriptions())]
    described += [(family.sample(REPLAY_PREFIX), family.kind, family.labels) for family in FAMILIES]
    labels: dict[str, set[str]] = {}
    for metric, kind, of in described:
        names = [f"{metric}_{suffix}" for suffix in ("bucket", "sum", "count")] if kind == "histogram" else [metric]
        labels |= {name: set(of) for name in names}
    process = {family.name for family in prometheus_client.PROCESS_COLLECTOR.collect() if family.type != "counter"}
    counters = {f"{family.name}_total" for family in prometheus_client.PROCESS_COLLECTOR.collect()}
    return labels | {name: set() for name in process | counters}


def recorded_series() -> dict[str, set[str]]:
    """Labels of what the recording rules make, as their names tell them."""
    found: dict[str, set[str]] = {}
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    found[rule["record"]] = set(rule["record"].split(":")[0].split("_"))
    return found


# What Prometheus makes of alerts, with the labels that the alerts of this project have.
ALERTS = {"alertname", "alertstate", "severity", "stream"}
KNOWN = known_metrics() | recorded_series() | {"ALERTS": ALERTS, "ALERTS_FOR_STATE": ALERTS}


def labels_in(text: str) -> set[str]:
    matched = {name for body in re.findall(r"\{([^}]*)\}", text) for name in re.findall(r"(\w+)\s*[=!]", body)}
    grouped = {
        name for body in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", text) for name in re.findall(r"\w+", body)
    }
    return matched | grouped


def alert_rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def links_in(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        for name, value in document.items():
            if name == "url" and isinstance(value, str) and value:
                yield value
            else:
                yield from links_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from links_in(value)


def test_committed_dashboards_are_what_the_code_generates() -> None:
    assert main(["--check"]) == 0
    assert FILES.keys() == DASHBOARDS.keys()


def test_check_names_each_file_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(PROVISIONED, tmp_path, dirs_exist_ok=True)
    changed, removed = tmp_path / "reconstream-worker.json", tmp_path / "reconstream-model.json"
    changed.write_text(changed.read_text().replace("Time behind", "Time ahead"))
    removed.unlink()
    (tmp_path / "by-hand.json").write_text("{}")
    document = tmp_path / "dashboards.md"
    document.write_text((ROOT / "docs/dashboards.md").read_text().replace("Time behind", "Time ahead"))
    here = ["--folder", str(tmp_path), "--document", str(document)]

    assert main(["--check", *here]) == 1

    told = capsys.readouterr().err
    assert f"{changed}: not what the code generates" in told
    assert f"{removed}: missing" in told
    assert "by-hand.json: no dashboard of this name is generated" in told
    assert f"{document}: what it says of panels is not what they say" in told
    assert "python -m deploy.grafana" in told

    assert main(here) == 0
    assert document.read_text() == (ROOT / "docs/dashboards.md").read_text()
    assert changed.read_text() == (PROVISIONED / changed.name).read_text()
    assert removed.exists()


@pytest.mark.parametrize("name", FILES)
def test_grafanas_own_types_read_a_dashboard_without_losing_anything(name: str) -> None:
    """The SDK's types are generated from Grafana's schema, and know nothing that Grafana does not."""
    register_default_plugins()
    committed = FILES[name]
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(committed)))
    for annotation in committed["annotations"]["list"]:
        # These three are read by the Prometheus data source, whose annotations the schema leaves open.
        assert all(annotation.pop(key) for key in ("titleFormat", "textFormat", "step"))

    assert read == committed


@pytest.mark.parametrize("name", FILES)
def test_places_do_not_overlap_and_numbers_are_unique(name: str) -> None:
    everything = FILES[name]["panels"]
    identifiers = [panel["id"] for panel in everything]
    assert len(set(identifiers)) == len(identifiers)
    titles = [panel["title"] for panel in everything]
    assert len(set(titles)) == len(titles), "two panels of one name cannot be told apart in a link or a talk"
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS
    for one, other in itertools.combinations((panel["gridPos"] for panel in everything), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("name", FILES)
def test_what_a_wall_should_show_fits_on_it(name: str) -> None:
    first = itertools.takewhile(lambda panel: panel["type"] != "row", FILES[name]["panels"])
    pixels = max(38 * (panel["gridPos"]["y"] + panel["gridPos"]["h"]) for panel in first)
    assert pixels <= 1080 - 120, "beside a row of variables, and one of links"


@pytest.mark.parametrize(("document", "panel"), PANELS)
def test_a_panel_says_what_it_shows_and_where_from(document: Mapping[str, Any], panel: Mapping[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["description"].endswith(".")
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == chosen
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == chosen
        assert target["legendFormat"]
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert defaults["noValue"], "an empty panel must say why it may be empty"


@pytest.mark.parametrize("name", FILES)
def test_variables_choose_the_data_source_streams_and_instances(name: str) -> None:
    variables = {variable["name"]: variable for variable in FILES[name]["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    of_replays = name == "reconstream-replay.json"
    chosen = ["instance", "stream", "series"] if of_replays else ["job", "instance", "stream"]
    assert {"datasource", *chosen} == variables.keys() - {"incidents"}
    for variable in chosen:
        # Two replays tell of the same incidents, which nobody wants to see added up.
        several = not (of_replays and variable == "instance")
        assert variables[variable]["multi"] == variables[variable]["includeAll"] == several
        assert f"${variable}" in json.dumps(FILES[name]["panels"])


@pytest.mark.parametrize("name", FILES)
def test_links_lead_to_pages_that_there_are(name: str) -> None:
    links = set(links_in(FILES[name]))
    assert {f"{DOCUMENTS}/dashboards.md", f"{RUNBOOKS}/README.md"} <= links
    to_incidents = {link for link in links if link.startswith("${incidents}/")}
    for link in links - to_incidents - {runbook("${__value.raw}")}:
        assert link.startswith(f"{DOCUMENTS}/"), f"{link} leads out of this project"
        assert (ROOT / "docs" / link.removeprefix(f"{DOCUMENTS}/")).is_file(), link


def test_links_to_incidents_are_addresses_that_the_page_understands() -> None:
    filled = {
        "${incidents}": f"http://localhost:{DashboardSettings().port}",
        "${__from:date:iso}": "2026-01-02T03:04:05.000Z",
        "${__to:date:iso}": "2026-01-03T03:04:05.000Z",
        "${__value.raw:percentencode}": "servers",
        "${__field.labels.stream:percentencode}": "servers",
        "${__field.labels.series:percentencode}": "web%201",
    }
    document = FILES["reconstream-anomalies.json"]
    (variable,) = (one for one in document["templating"]["list"] if one["name"] == "incidents")
    assert variable["query"] == variable["current"]["value"] == filled["${incidents}"]
    links = {link for link in links_in(document) if link.startswith("${incidents}/")}
    assert len(links) > 5
    asked = []
    for link in sorted(links):
        address = functools.reduce(lambda text, item: text.replace(*item), filled.items(), link)
        assert "$" not in address
        asked.append(Query.parse(parse_qs(urlsplit(address).query), now_ns=0))
    assert Query(statuses=frozenset({"open"}), severities=frozenset({"critical"})) in asked
    assert Query(series="web 1", streams=frozenset({"servers"})) in asked


def test_every_alert_that_a_table_may_show_has_the_runbook_that_it_links_to() -> None:
    assert runbook("${__value.raw}") in set(links_in(FILES["reconstream-anomalies.json"]))
    for rule in alert_rules():
        link = runbook("${__value.raw}").replace("${__value.raw}", rule["alert"])
        assert rule["annotations"]["runbook_url"] == link
        assert (ROOT / "docs" / link.removeprefix(f"{DOCUMENTS}/")).is_file(), link


def test_the_runbook_of_every_alert_is_linked_from_a_panel_on_what_it_is_about() -> None:
    linked = set().union(*(links_in(document["panels"]) for document in FILES.values()))
    assert {rule["alert"] for rule in alert_rules() if runbook(rule["alert"]) not in linked} == set()


def test_alerts_lead_to_dashboards_and_variables_that_there_are() -> None:
    variables = {
        document["uid"]: {variable["name"] for variable in document["templating"]["list"]}
        for document in FILES.values()
    }
    led = [rule["annotations"]["dashboard"] for rule in alert_rules() if "dashboard" in rule["annotations"]]
    assert len(led) > 10
    for path in led:
        identifier, _, chosen = path.removeprefix("/d/").partition("?")
        assert set(re.findall(r"var-(\w+)=", chosen)) <= variables[identifier], path


@pytest.mark.parametrize(
    "expression", [pytest.param(one, id=f"{number}/{one.where}") for number, one in enumerate(EXPRESSIONS)]
)
def test_an_expression_asks_for_what_workers_export(expression: Expression) -> None:
    names = metric_names(expression.text)
    assert names
    assert names <= KNOWN.keys()
    labels = set().union(*(KNOWN[name] for name in names)) | LABELS_OF_ALL
    assert labels_in(expression.text) <= labels


def test_unknown_metrics_and_labels_are_noticed() -> None:
    assert metric_names('sum(reconstream_nothing{stream="a"})') == {"reconstream_nothing"}
    assert labels_in('sum by (kind, other) (rate(reconstream_series{state!="live"}[1m]))') == {"kind", "other", "state"}


@pytest.mark.watch
def test_prometheus_understands_every_expression(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"expression:{number}", "expr": one.text} for number, one in enumerate(EXPRESSIONS)]
    file = tmp_path / "expressions.rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))

    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert f"{len(EXPRESSIONS)} rules found" in checked.stdout


def test_grafana_is_told_where_dashboards_and_data_are() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/reconstream.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    sources = yaml.safe_load((PROVISIONING / "datasources/reconstream.yaml").read_text())["datasources"]
    (default,) = [source for source in sources if source.get("isDefault")]
    assert default["type"] == "prometheus"
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())["global"]
    assert default["jsonData"]["timeInterval"] == scraped["scrape_interval"]


def test_dashboards_are_generated_the_same_way_each_time() -> None:
    assert generated() == generated()
