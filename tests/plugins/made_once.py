"""Costly files that a whole run makes once, however many processes share its tests (pytest-xdist)."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """``made_once(name, make)``: a path that ``make(path)`` has written a file or a folder to.

    The first who asks makes it, and whoever asks meanwhile waits. No test may change it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes of this run

    def once(name: str, make: Callable[[Path], object]) -> Path:
        room = folder / "made-once" / name
        room.mkdir(parents=True, exist_ok=True)
        path, complete = room / name, room / "complete"
        with (room / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                shutil.rmtree(path, ignore_errors=True)  # what somebody before failed to make
                make(path)
                complete.touch()
        return path

    return once
