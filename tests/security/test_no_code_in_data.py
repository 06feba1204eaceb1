"""Nothing here reads data in a format that can carry code: the whole source is searched, not a sample of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("detector", "models", "examples", "benchmarks") for path in ROOT.glob(f"{folder}/**/*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "jsonpickle", "torch"}
BUILT_IN = {"eval", "exec", "compile", "__import__"}
ALWAYS = {"unsafe_load", "full_load", "enable_unsafe_deserialization", "mktemp"}
SAFE = {"allow_pickle": "False", "safe_mode": "True", "shell": "False"}
OF_YAML = {f"yaml.{name}" for name in ("load", "load_all", "Loader", "FullLoader", "UnsafeLoader")}


def of_import(node: ast.AST) -> list[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return [f"import {name}" for name in names if name.partition(".")[0] in MODULES]


def of_call(node: ast.Call) -> list[str]:
    owner, _, name = ast.unparse(node.func).rpartition(".")
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    found = [f"{name}()"] if name in ALWAYS or (name in BUILT_IN and not owner) else []
    found += [f"{option}={given[option]}" for option, safe in SAFE.items() if given.get(option, safe) != safe]
    if name == "load_model" and "safe_mode" not in given:
        found.append("load_model without safe_mode")
    if owner in {"np", "numpy"} and name == "load" and "allow_pickle" not in given:
        found.append("np.load without allow_pickle=False")
    return found


def findings(source: str) -> list[str]:
    """What in a module can run code that data brings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        found += of_import(node)
        if isinstance(node, ast.Call):
            found += of_call(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in OF_YAML:
            found.append(ast.unparse(node))
    return found


def test_no_module_reads_a_format_that_carries_code() -> None:
    assert len(SOURCES) > 100
    found = {str(path.relative_to(ROOT)): findings(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("import pickle", "import pickle"),
        ("from joblib import load", "import joblib"),
        ("import numpy as np\nnp.load(x, allow_pickle=True)", "allow_pickle=True"),
        ("np.load(x, allow_pickle=flag)", "allow_pickle=flag"),
        ("np.load(x)", "np.load without allow_pickle=False"),
        ("yaml.load(x, Loader=yaml.Loader)", "yaml.load"),
        ("yaml.unsafe_load(x)", "unsafe_load()"),
        ("eval(x)", "eval()"),
        ("keras.saving.load_model(x, safe_mode=False)", "safe_mode=False"),
        ("keras.models.load_model(x)", "load_model without safe_mode"),
        ("subprocess.run(x, shell=True)", "shell=True"),
        ("tempfile.mktemp()", "mktemp()"),
    ],
)  # fmt: skip
def test_the_search_finds_them(source: str, finding: str) -> None:
    assert finding in findings(source)
