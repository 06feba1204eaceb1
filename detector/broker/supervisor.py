"""Runs a command and ends it when whoever started this goes away, however that happens.

Started as a script, ``python -I supervisor.py COMMAND...``, with a pipe as standard input. The pipe closes when its
other end does: on a normal end, on a crash and on SIGKILL alike. A signal at the parent's death
(``PR_SET_PDEATHSIG``) alone would not do, since it fires at the end of the thread that started the child; it is used
here, where there is one thread, for the case that this process is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

_GRACE_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


def _die_with_supervisor() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(child: subprocess.Popen[bytes], wakeup: int) -> int:
    """Exit status of the child; asks it to stop when told to, or when standard input ends."""
    watched = [0, wakeup]
    while (status := child.poll()) is None:
        ready, _, _ = select.select(watched, [], [])
        signals = os.read(wakeup, 64) if wakeup in ready else b""
        if 0 in ready and not os.read(0, 64):
            watched.remove(0)
            signals += bytes([signal.SIGTERM])
        if signals.strip(bytes([signal.SIGCHLD])):
            child.terminate()
            try:
                return child.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                return child.wait()
    return status


def main(command: list[str]) -> int:
    """Run ``command`` to its end; its exit status, as a shell would give it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_supervisor)
    with contextlib.suppress(KeyboardInterrupt):
        status = _wait(child, reading)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
