"""What is started never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.broker.java import start_supervised
from tests.support.processes import is_alive
from tests.support.waiting import until

CHILD = """
import os, signal, sys, time
from pathlib import Path
pid, ended = Path(sys.argv[1]), Path(sys.argv[2])
def stop(*_):
    ended.write_text("in order")
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
pid.with_suffix(".tmp").write_text(str(os.getpid()))
pid.with_suffix(".tmp").rename(pid)
while True:
    time.sleep(0.05)
"""

PARENT = """
import sys, time
from pathlib import Path
from detector.broker.java import start_supervised
process = start_supervised(sys.argv[2:], Path(sys.argv[1]), [])
time.sleep(60)
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    return [sys.executable, "-c", CHILD, str(tmp_path / "pid"), str(tmp_path / "ended")]


def child_pid(tmp_path: Path) -> int:
    until((tmp_path / "pid").exists)
    return int((tmp_path / "pid").read_text())


def test_stop_in_order(tmp_path: Path, command: list[str]) -> None:
    process = start_supervised(command, tmp_path / "out", [])
    child_pid(tmp_path)
    process.terminate()
    assert process.wait(60) == 7
    assert (tmp_path / "ended").read_text() == "in order"


def test_exit_status_of_what_ended_by_itself(tmp_path: Path) -> None:
    process = start_supervised([sys.executable, "-c", "print('bye'); raise SystemExit(3)"], tmp_path / "out", [])
    assert process.wait(60) == 3
    assert (tmp_path / "out").read_text() == "bye\n"


def test_exit_status_of_what_was_killed(tmp_path: Path, command: list[str]) -> None:
    process = start_supervised(command, tmp_path / "out", [])
    os.kill(child_pid(tmp_path), signal.SIGKILL)
    assert process.wait(60) == 128 + signal.SIGKILL


def test_parent_that_was_killed(tmp_path: Path, command: list[str]) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "out"), *command])
    pid = child_pid(tmp_path)
    parent.kill()
    parent.wait()
    until(lambda: not is_alive(pid))
    assert (tmp_path / "ended").read_text() == "in order"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_supervisor_that_was_killed(tmp_path: Path, command: list[str]) -> None:
    process = start_supervised(command, tmp_path / "out", [])
    pid = child_pid(tmp_path)
    process.kill()
    process.wait()
    until(lambda: not is_alive(pid))


def test_lock_is_held_until_the_end(tmp_path: Path, command: list[str]) -> None:
    reading, writing = os.pipe()
    process = start_supervised(command, tmp_path / "out", [writing])
    os.close(writing)
    os.set_blocking(reading, False)
    child_pid(tmp_path)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    process.terminate()
    process.wait(60)
    assert os.read(reading, 1) == b""
    os.close(reading)
