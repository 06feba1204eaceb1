"""The running Kafka: start, stop, kill and freeze it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from detector.broker.errors import LocalBrokerError
from detector.broker.java import start_supervised
from detector.broker.server_log import ServerLog

_START_TIMEOUT_SECONDS = 60.0
_STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.02
_STARTED = "Kafka Server started"
_PORT_TAKEN = "Address already in use"


class PortTakenError(LocalBrokerError):
    """Somebody took a port between its choice and its use."""


class ServerProcess:
    """Kafka's server, from its launch to its end.

    Args:
        command: Starts it.
        log: Where it logs.
        output: File for its standard output and error.
        lock: File descriptor that stays open until it has ended.
    """

    def __init__(self, command: Sequence[str], log: Path, output: Path, lock: int) -> None:
        self._log_path = log
        self._log = ServerLog(log, output)
        self._process = start_supervised(command, output, [lock])

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def await_start(self) -> None:
        """Return once clients are served.

        Raises:
            LocalBrokerError: it ended, or did not start in time; it does not run any more.
        """
        try:
            problem = self._await_start()
        except BaseException:
            self.kill()
            raise
        if problem is not None:
            self.kill()
            message = f"Apache Kafka {problem}: {self.problems()}; its log is {self._log_path}"
            raise PortTakenError(message) if _PORT_TAKEN in self._log.text() else LocalBrokerError(message)

    def stop(self) -> None:
        """Ask it to stop and wait until it has; one that does not stop in time is killed."""
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def pause(self) -> None:
        """Freeze it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._signal(signal.SIGCONT)

    def wait(self, timeout_seconds: float | None) -> int | None:
        """Exit status once it has ended by itself; None when it still runs after the timeout."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def problems(self) -> str:
        """The last errors that it logged, shortened to one line."""
        return self._log.problems()

    def _await_start(self) -> str | None:
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while (status := self._process.poll()) is None:
            if _STARTED in self._log.text():
                return None
            if time.monotonic() > deadline:
                return f"did not start within {_START_TIMEOUT_SECONDS:.0f} s"
            time.sleep(_POLL_SECONDS)
        return f"ended while it started (exit status {status})"

    def _signal(self, number: int) -> None:
        # Only while it is not reaped: its number may belong to another process afterwards.
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
