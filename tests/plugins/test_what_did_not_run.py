"""The last line of a test run: it names what could not be run, and in CI that fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent
PLUGGED_IN = ("xdist", "what_did_not_run", "told_to_the_parent", "no:cacheprovider")
CLEAN = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


processes = pytest.mark.parametrize("processes", [0, 2])


@pytest.fixture
def last_line(tmp_path):
    """Runs pytest on a file of tests; returns the last line that it prints, and its exit status."""

    def run(tests: str, *arguments: str, ci: str = "", processes: int = 0) -> tuple[str, int]:
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / "test_sample.py").write_text(f"import pytest\n{tests}")
        plugins = chain.from_iterable(("-p", name) for name in PLUGGED_IN)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, "-n", str(processes), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PLUGINS), "CI": ci, "NO_COLOR": "1", **CLEAN},
            capture_output=True,
            text=True,
            timeout=120,
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


@processes
def test_skipped_tests_are_named_by_reason(last_line, processes):
    expected = "Could not be run here: 4 tests: no GPU (2); needs Docker (1); no zsh (1)."
    assert last_line(SKIPPED, processes=processes) == (expected, 0)


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("1", 1), ("false", 0), ("0", 0)])
def test_in_ci_a_skipped_test_fails_the_run(last_line, ci, status):
    line, code = last_line(SKIPPED, ci=ci)
    assert code == status
    assert line.endswith(" In CI nothing may be missing: the run failed.") == (status == 1)


@processes
def test_a_skipped_file_counts(last_line, processes):
    line, _ = last_line("pytest.importorskip('no_such_package')", processes=processes)
    assert line.startswith("Could not be run here: 1 test: could not import 'no_such_package'")


@processes
@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_deselected_tests_count(last_line, processes, ci, status):
    line, code = last_line("def test_one(): pass\ndef test_two(): pass", "-k", "one", ci=ci, processes=processes)
    assert line.startswith("Could not be run here: 1 test: deselected on the command line (1).")
    assert code == status


def test_an_expected_failure_did_run(last_line):
    assert last_line("@pytest.mark.xfail\ndef test_known(): assert False") == ("Could not be run here: nothing.", 0)


@processes
def test_a_failure_keeps_its_status_and_the_line_stays_last(last_line, processes):
    line, code = last_line(SKIPPED + "def test_broken(): assert False", ci="true", processes=processes)
    assert code == 1
    assert line.startswith("Could not be run here: 4 tests")


@processes
def test_output_that_is_no_utf_8_ends_no_run(last_line, processes):
    tests = "def test_hostile(): print(chr(0xd800)); assert False, chr(0xd800)"
    assert last_line(tests, processes=processes) == ("Could not be run here: nothing.", 1)
