"""Commands, run in the process of the tests: to start one takes longer than most commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from detector.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int | str | None
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it wrote to standard error, on one line: where lines break depends on the terminal."""
        return " ".join(self.err.split())


Command = Callable[..., Ended]


def status_of(*arguments: object) -> int | str | None:
    """The exit status of ``detector`` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code
