"""Worker processes end with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from detector.cli.evaluate.workforce import workforce
from tests.support.processes import is_alive
from tests.support.waiting import until

PARENT = """
import sys, tests.cli.test_workforce as these
from detector.cli.evaluate.workforce import workforce

if __name__ == "__main__":
    with workforce(2) as pool:
        for future in [pool.submit(these.work_for_ever, sys.argv[1], number) for number in range(3)]:
            future.result()
"""


def work_for_ever(folder: str, number: int) -> None:
    """A task with a temporary place; tells the process and the place."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        told = Path(folder) / f"{number}.told"
        told.with_suffix(".part").write_text(f"{os.getpid()} {place}")
        told.with_suffix(".part").rename(told)
        while True:
            time.sleep(0.05)


def fails() -> None:
    raise ValueError("it fails")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_and_clear_away_when_their_parent_is_killed(tmp_path, number):
    (tmp_path / "parent.py").write_text(PARENT)
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", tmp_path], env={**os.environ, "PYTHONPATH": str(root)}, cwd=root,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: len(list(tmp_path.glob("*.told"))) == 2, "two workers at work")
        told = [path.read_text().split() for path in tmp_path.glob("*.told")]
        # To the parent alone, as `kill` does; not to its group, as a terminal would.
        parent.send_signal(number)
        until(lambda: not any(is_alive(int(process)) for process, _ in told), "workers end")
        assert parent.wait(60) != 0
        assert not [place for _, place in told if Path(place).exists()]
    finally:
        parent.kill()
        parent.wait()


def test_a_task_that_fails_ends_what_the_others_do(tmp_path):
    def work() -> None:
        with workforce(2) as pool:
            pool.submit(work_for_ever, str(tmp_path), 0)
            until(lambda: (tmp_path / "0.told").exists(), "a worker at work")
            pool.submit(fails).result()

    with pytest.raises(ValueError, match="it fails"):
        work()
    process, place = (tmp_path / "0.told").read_text().split()
    until(lambda: not is_alive(int(process)), "the other worker ends")
    assert not Path(place).exists()


def test_results_come_back_and_workers_are_done_with_the_block():
    with workforce(1) as pool:
        process = pool.submit(os.getpid).result()
        assert is_alive(process)
    assert not is_alive(process)
