"""SIGHUP asks a running worker to look at its models again."""

from __future__ import annotations

import signal
from types import FrameType


class HangUp:
    """SIGHUP as a question that is answered once; a context manager, for the main thread."""

    def __init__(self) -> None:
        self._asked = False
        self._previous: object = None

    def __call__(self) -> bool:
        """Whether the signal came since the last call."""
        asked, self._asked = self._asked, False
        return asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True

    def __enter__(self) -> HangUp:
        self._previous = signal.signal(signal.SIGHUP, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGHUP, self._previous)  # type: ignore[arg-type]  # what signal.signal itself returned
