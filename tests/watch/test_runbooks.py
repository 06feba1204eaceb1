"""Runbooks: one for each alert, with queries, commands, settings and log lines that there really are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from detector.cli import COMMANDS
from detector.observability.factory import MetricDescription
from detector.observability.library import LIBRARY
from detector.observability.metrics import Metrics
from detector.observability.replay_metrics import FAMILIES, REPLAY_PREFIX
from detector.observability.replay_run import descriptions as of_replay_run
from detector.settings import Settings, StreamSettings
from tests.cli.test_examples import check, command_lines
from tests.watch.promql import metric_names
from tests.watch.shipped import alert_names, recorded_names

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
METRICS = (ROOT / "docs" / "metrics.md").read_text()
SECTIONS = ("**What it means.**", "**Impact.**", "## Look at", "## Do", "## Silence")
SUFFIXES = ("_bucket", "_sum", "_count")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks, also in lists, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in block.splitlines()) for indent, block in found]


def inline_code(text: str) -> list[str]:
    without_blocks = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", without_blocks)]


def described() -> set[str]:
    metrics: list[MetricDescription] = [*Metrics(CollectorRegistry()).descriptions, *LIBRARY, *of_replay_run()]
    histograms = {metric.name + suffix for metric in metrics if metric.kind == "histogram" for suffix in SUFFIXES}
    return {metric.name for metric in metrics} | histograms | recorded_names() | {"up"}


def of_a_replay() -> set[str]:
    """What replay --openmetrics writes."""
    return {family.sample(REPLAY_PREFIX) for family in FAMILIES} | {
        family.sample(REPLAY_PREFIX) + suffix
        for family in FAMILIES
        if family.kind == "histogram"
        for suffix in SUFFIXES
    }


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {path.stem for path in PAGES} == alert_names()
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((name, name) for name in alert_names())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_what_it_means_what_to_look_at_and_what_to_do(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n\n*Severity: ")
    at = [text.find(section) for section in SECTIONS]
    assert -1 not in at, SECTIONS[at.index(-1)]
    assert at == sorted(at)
    assert blocks(text, "promql") or path.stem == "ReconstreamDeadLetters"


@pytest.mark.watch
def test_the_queries_are_promql_about_metrics_that_there_are(promtool: Path, tmp_path: Path) -> None:
    queries = [(path.stem, query) for path in PAGES for query in blocks(path.read_text(), "promql")]
    queries += [("metrics.md", query) for query in re.findall(r"^\|[^|]+\? \| `(.+)` \|$", METRICS, re.MULTILINE)]
    assert len(queries) > 60
    known = described() | of_a_replay()
    for page, query in queries:
        assert metric_names(query) - known == set(), page
    rules = [{"record": f"q{number}", "expr": query} for number, (_, query) in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    ran = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", [*PAGES, FOLDER / "README.md"], ids=lambda path: path.stem)
def test_what_is_named_is_there(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text()
    codes = inline_code(text)
    known = described()
    for code in codes:
        if re.fullmatch(r"(reconstream|process)_\w+", code):
            assert code in known or f"reconstream_{code}" in known
    fenced = command_lines("\n".join(blocks(text, "")))
    named = [line for code in codes for line in command_lines(code)]
    for line in [*fenced, *(line for line in named if " -" in line)]:
        check(line)
    for line in named:
        assert line.split()[1] in COMMANDS, line
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert (FOLDER / target).exists(), target


def settings_paths(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        found.add(prefix + name)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= settings_paths(kind, f"{prefix}{name}.")
    return found


def test_the_settings_are_ones_that_there_are() -> None:
    known = settings_paths(Settings) | settings_paths(StreamSettings)
    sections = {path.split(".")[0] for path in known if "." in path}
    named = {
        code.split(":")[0]
        for path in [*PAGES, FOLDER / "README.md"]
        for code in inline_code(path.read_text())
        if re.fullmatch(rf"({'|'.join(sections)})\.[a-z_.]+(: .*)?", code)
    }
    assert len(named) > 20
    assert {one for one in named if one != "detector.yaml"} - known == set()


def test_the_log_lines_are_ones_that_are_logged() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "detector").rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    named = {
        " ".join(phrase.split())
        for path in PAGES
        for phrase in re.findall(r"(?<![*\w])\*([a-z][^*]+? [^*]+?)\*(?![*\w])", path.read_text())
    }
    assert len(named) > 12
    assert {phrase for phrase in named if phrase not in source} == set()
