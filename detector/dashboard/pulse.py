"""Waking those who wait for changes, and no more of them than can be served."""

from __future__ import annotations

import asyncio
from typing import Final

_MOST_LISTENERS: Final = 64


class TooManyError(Exception):
    """So many wait already that no more can be served."""


class Pulse:
    """Wakes those who wait for changes; belongs to one event loop, and may be beaten by any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    def beat(self) -> None:
        """Something has changed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Have all who wait go home."""
        self.closed = True
        self._wake()

    def join(self) -> asyncio.Event:
        """Be woken from now on.

        Raises:
            TooManyError: as it says.
        """
        if len(self._waiting) >= _MOST_LISTENERS:
            raise TooManyError("too many pages are open at once; close some")
        found = asyncio.Event()
        self._waiting.add(found)
        return found

    def leave(self, found: asyncio.Event) -> None:
        """Be woken no more."""
        self._waiting.discard(found)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()
