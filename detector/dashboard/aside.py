"""Work that would hold up an event loop, done beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def off_the_loop(work: Callable[[], T]) -> T:
    """Have something done on a thread of its own.

    The event loop's own executor is not used: Python waits for its threads at the end, whatever a broker does.

    Args:
        work: Is called; what it raises is raised here.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def succeed(result: T) -> None:
        if not done.cancelled():
            done.set_result(result)

    def fail(error: Exception) -> None:
        if not done.cancelled():
            done.set_exception(error)

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            _tell(loop, lambda error=error: fail(error))  # type: ignore[misc]  # mypy does not see the default
        else:
            _tell(loop, lambda: succeed(result))

    threading.Thread(target=run, name="beside the event loop", daemon=True).start()
    return await done


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)
