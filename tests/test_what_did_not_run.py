"""The last line of a test run: it names what could not be run, and in CI that fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture
def last_line(tmp_path):
    """Runs pytest on a file of tests; returns the last line that it prints, and its exit status."""

    def run(tests: str, *arguments: str, ci: str = "") -> tuple[str, int]:
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / "test_sample.py").write_text(f"import pytest\n{tests}")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "what_did_not_run", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PLUGINS), "CI": ci, "PYTEST_ADDOPTS": "", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.splitlines()[-1], done.returncode

    return run


SKIPPED = """
def test_fine(): pass
@pytest.mark.skip(reason="no GPU.")
def test_gpu(): pass
@pytest.mark.skip(reason="no GPU.")
def test_gpu_again(): pass
@pytest.mark.skipif(True, reason="needs Docker")
def test_docker(): pass
def test_inside(): pytest.skip("no zsh")
"""


@pytest.mark.parametrize("ci", ["", "true"])
def test_when_everything_ran_it_says_so(last_line, ci):
    assert last_line("def test_fine(): pass", ci=ci) == ("Could not be run here: nothing.", 0)


def test_skipped_tests_are_named_by_reason(last_line):
    expected = "Could not be run here: 4 tests: no GPU (2); needs Docker (1); no zsh (1)."
    assert last_line(SKIPPED) == (expected, 0)


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("1", 1), ("false", 0), ("0", 0)])
def test_in_ci_a_skipped_test_fails_the_run(last_line, ci, status):
    line, code = last_line(SKIPPED, ci=ci)
    assert code == status
    assert line.endswith(" In CI nothing may be missing: the run failed.") == (status == 1)


def test_a_skipped_file_counts(last_line):
    line, _ = last_line("pytest.importorskip('no_such_package')")
    assert line.startswith("Could not be run here: 1 test: could not import 'no_such_package'")


def test_deselected_tests_count(last_line):
    tests = "def test_one(): pass\ndef test_two(): pass"
    assert last_line(tests, "-k", "one") == ("Could not be run here: 1 test: deselected on the command line (1).", 0)


def test_an_expected_failure_did_run(last_line):
    assert last_line("@pytest.mark.xfail\ndef test_known(): assert False") == ("Could not be run here: nothing.", 0)


def test_a_failure_keeps_its_status_and_the_line_stays_last(last_line):
    line, code = last_line(SKIPPED + "def test_broken(): assert False", ci="true")
    assert code == 1
    assert line.startswith("Could not be run here: 4 tests")
