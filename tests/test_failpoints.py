"""Failing on order: what the variable may say, and what then happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from detector.errors import ConfigError
from detector.failpoints import COMMIT_STEPS, RESTORE_STEPS, VARIABLE, FailpointError, failpoints, silent

PROGRAM = """
import os
from detector.failpoints import failpoints
announce = failpoints(os.environ)
for _ in range(5):
    announce("polled")
    print("passed", flush=True)
"""


def run(order: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env={**os.environ, VARIABLE: order}, stdout=subprocess.PIPE, text=True
    )


def test_without_the_variable_nothing_listens() -> None:
    assert failpoints({}) is silent
    assert failpoints({VARIABLE: " "}) is silent


def test_kill_at_the_third_time() -> None:
    process = run("polled:kill:3")
    printed, _ = process.communicate(timeout=90)
    assert printed.count("passed") == 2
    assert process.returncode == -signal.SIGKILL


def test_exit_leaves_at_once() -> None:
    process = run("polled:exit")
    assert process.communicate(timeout=90)[0].count("passed") == 0
    assert process.returncode == 70


def test_pause_lasts_until_it_is_continued() -> None:
    process = run("polled:pause:2")
    assert process.stdout is not None
    assert process.stdout.readline() == "passed\n"
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    printed, _ = process.communicate(timeout=90)
    assert printed.count("passed") == 4
    assert process.returncode == 0


def test_error_comes_once_and_at_its_own_step_only() -> None:
    announce = failpoints({VARIABLE: "begun:error:2, noted:error"})
    announce("polled")
    announce("begun")
    with pytest.raises(FailpointError):
        announce("begun")
    announce("begun")
    with pytest.raises(FailpointError):
        announce("noted")


def test_a_stall_holds_the_calling_thread_up() -> None:
    announce = failpoints({VARIABLE: "polled:stall=0.2"})
    started = time.monotonic()
    announce("polled")
    assert time.monotonic() - started >= 0.2


def test_steps_are_distinct() -> None:
    assert len({*COMMIT_STEPS, *RESTORE_STEPS}) == len(COMMIT_STEPS) + len(RESTORE_STEPS)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("sometime:kill", "'sometime' is not a step; the steps are polled, processed, "),
        ("polled:explode", "'explode' is not an action; write kill, pause, stall=SECONDS, exit or error"),
        ("polled", "'' is not an action"),
        ("polled:stall", "'stall' is not an action"),
        ("polled:kill:0", "'polled:kill:0' is not step:action:count with a count from 1 on"),
        ("polled:kill:x", "is not step:action:count"),
        ("polled:stall=soon", "is not step:action:count"),
    ],
)
def test_orders_that_make_no_sense(order: str, message: str) -> None:
    with pytest.raises(ConfigError, match=VARIABLE) as caught:
        failpoints({VARIABLE: order})
    assert message in str(caught.value)
