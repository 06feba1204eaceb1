"""The fuzzer that this machine has finds a reader that breaks, and passes one that does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import __main__ as fuzzing
from tests.fuzz import guided
from tests.fuzz.guided import quoted

ROOT = Path(__file__).parents[2]
BROKEN = """
import sys
from tests.fuzz import {module}
from tests.fuzz.targets import TARGETS, Target

def run(data):
    if data.startswith(b"{{") and b"\\xff" in data:
        raise KeyError("broken")

TARGETS["broken"] = Target("broken", run, lambda: [b"{{}}"])
{call}
"""


def fuzz(folder: Path, module: str, call: str) -> subprocess.CompletedProcess[str]:
    program = folder / "program.py"
    program.write_text(BROKEN.format(module=module, call=call))
    return subprocess.run(
        [sys.executable, str(program)], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def test_what_breaks_a_reader_is_found(tmp_path: Path) -> None:
    with_atheris = guided.is_installed()
    call = "guided.main('broken', '60')" if with_atheris else "__main__.fuzz(TARGETS['broken'])"
    result = fuzz(tmp_path, "guided" if with_atheris else "__main__", call)
    assert result.returncode != 0
    assert "KeyError: 'broken'" in result.stdout + result.stderr
    if with_atheris:
        (finding,) = (tmp_path / ".fuzz" / "findings").iterdir()
        assert finding.read_bytes().startswith(b"{")
        again = fuzz(tmp_path, "guided", f"guided.main('broken', {str(finding)!r})")
        assert "KeyError: 'broken'" in again.stdout + again.stderr


def test_the_verdict_names_the_targets_that_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def fuzz_one(name: str, seconds: float) -> bool:
        asked.append((name, seconds))
        return name != "state"

    monkeypatch.setattr(guided, "fuzz_in_process_of_its_own", fuzz_one)
    assert fuzzing.main(2, ["npy", "state"], use_guided=True) == 1
    assert asked == [("npy", 60), ("state", 60)]
    assert capsys.readouterr().err == "2 targets, 60 s each, failed: state\n"
    assert fuzzing.main(2, ["npy"], use_guided=True) == 0


def test_words_for_the_dictionary() -> None:
    assert quoted(b'a"\x00') == r"\x61\x22\x00"
