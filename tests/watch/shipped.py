"""What deploy/ ships, as tests read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCS = DEPLOY.parent / "docs"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager"
GRAFANA = DEPLOY / "grafana"

_LABEL_VALUES = re.compile(r"label_values\(\s*(?:(?P<selector>.+?)\s*,\s*)?(?P<label>\w+)\s*\)", re.DOTALL)
# Times that Grafana fills in; short ones, since the server of the tests has scraped for some seconds only.
_BUILT_IN = {
    "__rate_interval": "30s", "__interval": "30s", "__range": "5m", "__range_s": "300", "__interval_ms": "30000",
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """PromQL somewhere in what is shipped."""

    where: str
    text: str


def rule_groups() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(PROMETHEUS.glob("*.rules.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield path, group


def rule_expressions() -> list[Expression]:
    return [
        Expression(f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"])
        for path, group in rule_groups()
        for rule in group["rules"]
    ]


def documented_expressions() -> list[Expression]:
    """What runbooks and other pages tell people to ask, and the table of questions in docs/metrics.md."""
    found = [
        Expression(str(path.relative_to(DOCS.parent)), query)
        for path in sorted(DOCS.rglob("*.md"))
        for query in re.findall(r"```promql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    questions = (DOCS / "metrics.md").read_text(encoding="utf-8").partition("\n## Questions and queries\n")[2]
    table = re.findall(r"^\| .* \| `(.*)` \|$", questions.partition("\n## ")[0], re.MULTILINE)
    assert table
    return [*found, *(Expression("docs/metrics.md", query) for query in table)]


def recorded_names() -> set[str]:
    return {rule["record"] for _, group in rule_groups() for rule in group["rules"] if "record" in rule}


def alert_names() -> set[str]:
    return {rule["alert"] for _, group in rule_groups() for rule in group["rules"] if "alert" in rule}


def dashboards(*, of_replays: bool = False) -> dict[str, dict[str, Any]]:
    """By path; every JSON file of a dashboard of workers, or of replays, whose data is in a Prometheus of its own."""
    found = {str(path.relative_to(DEPLOY)): json.loads(path.read_text()) for path in sorted(GRAFANA.rglob("*.json"))}
    return {
        path: document
        for path, document in found.items()
        if "panels" in document and (document["uid"] == "reconstream-replay") == of_replays
    }


def dashboard_expressions(
    path: str, dashboard: Mapping[str, Any], times: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Expression]:
    """Whatever the dashboard asks Prometheus, wherever it stands, with its variables at "All".

    Args:
        path: Of its file, for what is told of it.
        dashboard: The file.
        times: What Grafana fills in, where it is not what suits a server that has scraped for some seconds only.
    """
    values = _BUILT_IN | dict(times) | dict(_variables(dashboard))

    def filled(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match["braced"] or match["plain"]
            assert name in values, f"{path}: {text} has a variable ${name} that the dashboard does not have"
            return values[name]

        return re.sub(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<plain>\w+))", value, text)

    def walk(node: Any, title: str) -> Iterator[Expression]:
        if isinstance(node, dict):
            title = node["title"] if isinstance(node.get("title"), str) and node["title"] else title
            if isinstance(node.get("expr"), str):
                yield Expression(f"{path}: {node.get('name') or title}", filled(node["expr"]))
            for child in node.values():
                yield from walk(child, title)
        elif isinstance(node, list):
            for child in node:
                yield from walk(child, title)

    yield from walk(dashboard, path)
    for variable in dashboard.get("templating", {}).get("list", []):
        if variable["type"] == "query":
            yield Expression(f"{path}: variable {variable['name']}", filled(_of_variable(path, variable)))


def _variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in dashboard.get("templating", {}).get("list", []):
        # Without a value Grafana takes the first that there is.
        current = variable.get("current", {}).get("value", ".+")
        yield variable["name"], variable.get("allValue") or (".+" if variable.get("includeAll") else str(current))


def _of_variable(path: str, variable: Mapping[str, Any]) -> str:
    query = variable["query"]
    text = query if isinstance(query, str) else query["query"]
    match = _LABEL_VALUES.fullmatch(text)
    assert match is not None, f"{path}: the variable {variable['name']} asks {text}, which this test cannot read"
    assert match["selector"], f"{path}: {text} names no metric"
    return f"group by ({match['label']}) ({match['selector']})"
