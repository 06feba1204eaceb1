"""Worker processes that end with whoever started them, in whatever way that happens."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

GRACE_SECONDS = 2.0
"""How long a worker that was left may take to clear away what it has in hand."""


@contextmanager
def workforce(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, each of which ends when this process does, be it killed, and when the block is left.

    Every worker reads from a pipe that nobody writes to. Its other end is closed by the block's end or, if it comes to
    that, by the operating system. Keys that interrupt the foreground (Ctrl-C) are for the parent alone.

    Args:
        workers: Processes.
    """
    # spawn: TensorFlow does not survive a fork; and a fork would inherit the pipe's other end.
    context = get_context("spawn")
    left, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow, initargs=(left,))
    try:
        with pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                # What runs would be waited for, minutes perhaps.
                held.close()
                raise
    finally:
        held.close()
        left.close()


def _follow(left: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_watch, args=(left,), name="parent", daemon=True).start()


def _leave(signum: int, frame: object) -> None:
    del frame
    sys.exit(128 + signum)


def _watch(left: Connection) -> None:
    left.poll(None)
    # Temporary files go with the main thread's exception; but it may be in a library's code, or wait for a task.
    _thread.interrupt_main(signal.SIGTERM)
    threading.Event().wait(GRACE_SECONDS)
    os._exit(1)
