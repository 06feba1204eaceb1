"""What native libraries write while they are loaded."""

from __future__ import annotations

import os

import pytest

from models.quiet import without_chatter

CHATTER = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795587811.655406    4922 port.cc:153] oneDNN custom operations are on. You may see slightly\n"
)


def test_chatter_is_dropped_and_the_rest_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with without_chatter():
        os.write(2, CHATTER + b"E0000 00:00:1.1 1 port.cc:153] the device is lost\nsomething else")
    assert capfd.readouterr().err == "E0000 00:00:1.1 1 port.cc:153] the device is lost\nsomething else"


def test_nothing_is_lost_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        with without_chatter():
            os.write(2, b"libfoo.so: cannot open shared object file\n")
            raise ImportError

    with pytest.raises(ImportError):
        load()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "libfoo.so: cannot open shared object file\nafter\n"
