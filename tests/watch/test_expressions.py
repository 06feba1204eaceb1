"""Every expression, shipped or documented, returns data from a real worker: names cannot drift from what it exports."""

from __future__ import annotations

import re

import pytest

from tests.watch.conftest import Stack
from tests.watch.promql import metric_names, operands
from tests.watch.shipped import (
    Expression,
    alert_names,
    dashboard_expressions,
    dashboards,
    documented_expressions,
    recorded_names,
    rule_expressions,
)

pytestmark = [pytest.mark.watch, pytest.mark.kafka, pytest.mark.keras]

# Made by Prometheus itself about what it scrapes and evaluates.
BUILT_IN = {"up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds", "scrape_samples_scraped"}

# Parts without data in this stack, each with the reason; a part that has data after all must not stand here.
WITHOUT_DATA: dict[str, str] = {}


def parts() -> list[Expression]:
    """All that is asked: each expression as it is shipped, and each side of its comparisons by itself."""
    rules = rule_expressions()
    of_dashboards = [one for path, board in dashboards().items() for one in dashboard_expressions(path, board)]
    assert rules
    assert of_dashboards
    everything = [*rules, *of_dashboards, *documented_expressions()]
    return [Expression(one.where, part) for one in everything for part in operands(one.text)]


def test_every_name_is_exported_or_recorded(stack: Stack) -> None:
    known = stack.exported_names() | recorded_names() | BUILT_IN
    wrong = [f"{one.where}: {name}" for one in parts() for name in metric_names(one.text) - known]
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_part_of_every_expression_returns_data(stack: Stack) -> None:
    asked: dict[str, str] = {}
    for one in parts():
        # This server knows the last minute only, so that what was long ago is asked of the present.
        asked.setdefault(re.sub(r" offset \w+", "", one.text), one.where)
    empty = {text: where for text, where in asked.items() if not stack.prometheus.query(text)}
    assert empty.keys() == WITHOUT_DATA.keys(), "\n".join(f"{where}: {text}" for text, where in empty.items())


def test_every_expression_is_evaluated_without_a_complaint(stack: Stack) -> None:
    rules = stack.prometheus.rules()
    assert {rule["name"] for rule in rules} == alert_names() | recorded_names()
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    for path, board in dashboards().items():
        for one in dashboard_expressions(path, board):
            stack.prometheus.query(one.text)  # whole, as Grafana sends it
