"""Receivers and routes that docs/alerting.md shows are ones that Alertmanager takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.watch.shipped import ALERTMANAGER, alert_names

pytestmark = pytest.mark.watch

PAGE = Path(__file__).parents[2] / "docs" / "alerting.md"
SHIPPED = yaml.safe_load((ALERTMANAGER / "alertmanager.yaml").read_text())


def example(name: str) -> dict[str, Any]:
    match = re.search(rf"<!-- {name}: checked by \S+ -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert match is not None
    return yaml.safe_load(match[1])


def check(amtool: Path, folder: Path, document: dict[str, Any]) -> None:
    for path in ALERTMANAGER.glob("*.tmpl"):
        shutil.copy(path, folder)
    file = folder / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(document))
    ran = subprocess.run([amtool, "check-config", file], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_receivers_fit_the_shipped_routes(amtool: Path, tmp_path: Path) -> None:
    document = SHIPPED | example("receivers")
    check(amtool, tmp_path, document)
    assert {one["name"] for one in document["receivers"]} == {one["name"] for one in SHIPPED["receivers"]}
    told = {value for one in document["receivers"] for value in re.findall(r'template "([\w.]+)"', str(one))}
    defined = set(re.findall(r'define "([\w.]+)"', (ALERTMANAGER / "reconstream.tmpl").read_text()))
    assert told
    assert told <= defined


def test_the_routes_by_stream(amtool: Path, tmp_path: Path) -> None:
    document = SHIPPED | example("routes")
    document["receivers"] = [*SHIPPED["receivers"], {"name": "plant"}]
    check(amtool, tmp_path, document)
    for stream, receiver in (("pumps", "plant"), ("servers", "critical")):
        ran = subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={tmp_path / 'alertmanager.yaml'}",
             "severity=critical", f"stream={stream}"], capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ran.stdout.strip() == receiver


def test_the_tables_say_what_is_configured() -> None:
    text = PAGE.read_text()
    assert set(re.findall(r"Reconstream[A-Z]\w+", text)) <= alert_names()
    muting = {name for rule in SHIPPED["inhibit_rules"] for name in re.findall(r"Reconstream\w+", str(rule))}
    in_words = {"ReconstreamAnomalyOpen", "ReconstreamSeriesSilent", "ReconstreamChannelsFrozen"}
    section = text.partition("## What mutes what")[2].partition("\n## ")[0]
    assert muting - in_words == set(re.findall(r"Reconstream[A-Z]\w+", section))
    patience = {"critical": ("10s", "1h"), "warning": ("30s", "12h"), "info": ("15m", "24h")}
    routes = {route["receiver"]: route for route in (SHIPPED["route"], *SHIPPED["route"]["routes"])}
    assert {name: (route["group_wait"], route["repeat_interval"]) for name, route in routes.items()} == patience
