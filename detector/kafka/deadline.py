"""Calls that may block for ever, on a deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class BoundedCaller:
    """Runs blocking calls on a thread of its own so that the caller can stop waiting.

    kafka-python's transactional calls wait without limit. After a timeout the call may still be under way; whoever
    asked must treat the outcome as unknown and throw away what the call was working on, this caller included. The
    thread is a daemon, so a stuck call never keeps the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            call, future = item
            try:
                future.set_result(call())
            except BaseException as error:  # handed to the waiting thread, which raises it
                future.set_exception(error)

    def __call__(self, call: Callable[[], T], timeout_seconds: float) -> T:
        """Run ``call``; its result or its exception is the result here.

        Raises:
            TimeoutError: the deadline passed; the call may still be running.
        """
        future: Future[T] = Future()
        self._calls.put((call, future))
        return future.result(timeout_seconds)

    def close(self) -> None:
        """Let the thread end after the call that is running, if any."""
        self._calls.put(None)
