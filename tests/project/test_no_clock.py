"""Outcomes depend on records alone: nothing on their way looks at a clock or rolls dice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "time": {"time", "time_ns", "localtime", "gmtime", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "uuid": {"uuid1", "uuid4"},
    "random": {"*"},
    "secrets": {"*"},
}
# Whatever makes an outcome of records, and what is written about it.
OUTCOME_PATH = [
    *(ROOT / "detector" / "records").glob("*.py"),
    *(ROOT / "detector" / "series").glob("*.py"),
    *(ROOT / "detector" / "alerting").glob("*.py"),
    *(ROOT / "detector" / "scoring").glob("*.py"),
    *(ROOT / "detector" / "shadow").glob("*.py"),
    *(ROOT / "models" / "runtimes").glob("*.py"),
    *(ROOT / "detector" / "pipeline").glob("*.py"),
    *(ROOT / "detector" / "worker" / name for name in ("snapshots.py", "bad_records.py")),
    *(ROOT / "detector" / "state").glob("*.py"),
    *(ROOT / "models" / "scores").glob("*.py"),
    *(ROOT / "models" / "thresholds").glob("*.py"),
    *(ROOT / "models" / "companions").glob("*.py"),
    *(ROOT / "models" / name for name in ("chain.py", "imputation.py", "memory.py", "renewal.py", "scaling.py")),
]
# The wall clock, in the worker's modules: for metrics, and for the stamp of what is not an outcome.
WALL_CLOCK_ALLOWED = {
    "detector/worker/instruments.py": "metrics of when something happened",
    "detector/worker/timed_scorers.py": "lag metrics",
    "detector/worker/loop.py": "when a checkpoint is due",
    "detector/worker/recovery/ways.py": "noted down in an epoch record",
}
WORKER = [
    *(ROOT / "detector").glob("*.py"),
    *(ROOT / "detector" / "worker").rglob("*.py"),
    *(ROOT / "detector" / "restoring").glob("*.py"),
    *(ROOT / "detector" / "kafka").glob("*.py"),
]


def uses(path: Path, forbidden: dict[str, set[str]]) -> Iterator[str]:
    """``line: name`` of every use of a forbidden function, however it was imported."""
    names: dict[str, tuple[str, str]] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in forbidden and node.module != "datetime":
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, alias.name)
        elif isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module == "datetime"):
            for alias in node.names:
                names[alias.asname or alias.name] = (alias.name, "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and names.get(node.id, ("", ""))[1]:
            module, name = names[node.id]
            if name in forbidden[module] or "*" in forbidden[module]:
                yield f"{node.lineno}: {module}.{name}"
        elif isinstance(node, ast.Attribute):
            owner = node.value
            base = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            module = names.get(base, (base, ""))[0]
            if module in forbidden and (node.attr in forbidden[module] or "*" in forbidden[module]):
                yield f"{node.lineno}: {module}.{node.attr}"


@pytest.mark.parametrize("path", OUTCOME_PATH, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_on_the_way_of_a_record_looks_at_a_clock(path: Path) -> None:
    assert list(uses(path, FORBIDDEN)) == []


@pytest.mark.parametrize("path", WORKER, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_worker_uses_the_wall_clock_for_metrics_only(path: Path) -> None:
    wall = {
        "time": {"time", "time_ns", "localtime", "gmtime"}, "datetime": {"now", "utcnow", "today"}, "date": {"today"},
    }  # fmt: skip
    found = list(uses(path, wall))
    assert bool(found) == (str(path.relative_to(ROOT)) in WALL_CLOCK_ALLOWED), found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\ntime.time()", ["2: time.time"]),
        ("import time as t\nt.monotonic()", ["2: time.monotonic"]),
        ("from time import time_ns\nx = time_ns", ["2: time.time_ns"]),
        ("from datetime import datetime as d\nd.now()", ["2: datetime.now"]),
        ("import datetime\ndatetime.datetime.now()", ["2: datetime.now"]),
        ("import random\nrandom.random()", ["2: random.random"]),
        ("from datetime import datetime\ndatetime.fromtimestamp(0)", []),
        ("import time\ntime.sleep(1)", []),
    ],
)
def test_a_use_is_found_however_it_was_imported(tmp_path: Path, source: str, expected: list[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert list(uses(path, FORBIDDEN)) == expected
