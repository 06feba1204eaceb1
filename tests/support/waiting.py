"""Waiting for what happens elsewhere: in a thread, another process, a broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    holds: Callable[[], T],
    what: str | Callable[[], str] = "it did not come to that",
    *,
    seconds: float = 120.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> T:
    """What ``holds`` returns, once that is true.

    Args:
        holds: Asked again and again.
        what: Told when it does not hold in time.
        seconds: Patience; a machine that is busy needs much of it, and a test that passes none.
        meanwhile: Done before each further question; an error that it raises ends the waiting.

    Raises:
        AssertionError: not in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        meanwhile()
        assert time.monotonic() < deadline, f"not in time: {what if isinstance(what, str) else what()}"
        time.sleep(0.02)
    return found
