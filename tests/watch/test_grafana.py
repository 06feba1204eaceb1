"""The Grafana dashboards: what is committed is what the code generates, and Grafana and Prometheus can use it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import PROVISIONED, generated, main
from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.dashboards.page import COLUMNS, DOCUMENTS, RUNBOOKS
from deploy.grafana.expressions import Expression, expressions, panels
from detector.observability.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yaml"))
PROVISIONING = ROOT / "deploy/grafana/provisioning"

FILES = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(PROVISIONED.glob("*.json"))}
PANELS = [
    pytest.param(document, panel, id=f"{document['title']}/{panel['title']}")
    for document in FILES.values()
    for panel in panels(document)
]
EXPRESSIONS = [expression for document in FILES.values() for expression in expressions(document)]
UNITS = {value for value in vars(units).values() if isinstance(value, str)}
# What Prometheus puts on whatever it scrapes, and what histograms have.
LABELS_OF_ALL = {"job", "instance", "le"}


def known_metrics() -> dict[str, set[str]]:
    """Labels of every time series that a worker exports, by the name of the series."""
    labels: dict[str, set[str]] = {}
    for metric in Metrics(prometheus_client.CollectorRegistry()).descriptions:
        names = [metric.name]
        if metric.kind == "histogram":
            names = [f"{metric.name}_{suffix}" for suffix in ("bucket", "sum", "count")]
        labels |= {name: set(metric.labels) for name in names}
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


KNOWN = known_metrics() | recorded_series()


def names_in(text: str) -> set[str]:
    """Names of series in an expression: those of workers, of processes, and of recording rules."""
    return set(re.findall(r"\b(?:reconstream|process)_\w+|\b\w+:\w+:\w+", text))


def labels_in(text: str) -> set[str]:
    matched = {name for body in re.findall(r"\{([^}]*)\}", text) for name in re.findall(r"(\w+)\s*[=!]", body)}
    grouped = {name for body in re.findall(r"\b(?:by|on) \(([^)]*)\)", text) for name in re.findall(r"\w+", body)}
    return matched | grouped


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
    for chosen in ("job", "instance", "stream"):
        assert variables[chosen]["multi"]
        assert variables[chosen]["includeAll"]
        assert any(f"${chosen}" in expression.text for expression in EXPRESSIONS)


@pytest.mark.parametrize("name", FILES)
def test_links_lead_to_pages_that_there_are(name: str) -> None:
    links = list(links_in(FILES[name]))
    assert f"{DOCUMENTS}/dashboards.md" in links
    for link in links:
        for base, folder in ((RUNBOOKS, ROOT / "docs/runbooks"), (DOCUMENTS, ROOT / "docs")):
            if link.startswith(base) and "${" not in link:
                assert (folder / link.removeprefix(f"{base}/").partition("#")[0]).exists(), link
                break
        else:
            assert "${" in link, f"{link} leads out of this project"


@pytest.mark.parametrize(
    "expression", [pytest.param(one, id=f"{one.dashboard}/{one.place}/{n}") for n, one in enumerate(EXPRESSIONS)]
)
def test_an_expression_asks_for_what_workers_export(expression: Expression) -> None:
    names = names_in(expression.text)
    assert names, expression.text
    assert names <= KNOWN.keys()
    labels = set().union(*(KNOWN[name] for name in names)) | LABELS_OF_ALL
    assert labels_in(expression.text) <= labels


def test_unknown_metrics_and_labels_are_noticed() -> None:
    assert names_in('sum(reconstream_nothing{stream="a"})') == {"reconstream_nothing"}
    assert labels_in('sum by (kind, other) (rate(reconstream_series{state!="live"}[1m]))') == {"kind", "other", "state"}


@pytest.mark.watch
def test_prometheus_understands_every_expression(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"expression:{number}", "expr": one.filled()} for number, one in enumerate(EXPRESSIONS)]
    file = tmp_path / "expressions.rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))

    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert f"{len(EXPRESSIONS)} rules found" in checked.stdout


def test_every_variable_is_filled_in() -> None:
    assert not [one for one in EXPRESSIONS if "$" in one.filled()]
    assert EXPRESSIONS[0].filled({"$stream": "servers"}).count('stream=~"servers"') == 1


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
