"""How the process is told to stop: once to finish what it has, twice to hurry."""

from __future__ import annotations

import signal
from types import FrameType

import structlog

_log = structlog.get_logger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class HurryError(BaseException):
    """A second signal, or the drain deadline: leave at once. What was not committed is done again at the next start.

    Not an `Exception`, so that no handler on the way takes it for a failure that can be retried.
    """


class StopSignals:
    """Turns SIGTERM and SIGINT into a flag that the loop asks for; a context manager, for the main thread.

    Args:
        drain_timeout_seconds: How long the loop may take to finish after the first signal.
    """

    def __init__(self, drain_timeout_seconds: float) -> None:
        self._drain_timeout_seconds = drain_timeout_seconds
        self._previous: dict[int, object] = {}
        self.received: signal.Signals | None = None

    def __call__(self) -> bool:
        """Whether it is time to stop."""
        return self.received is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            reason = "drain timeout" if number == signal.SIGALRM else "second signal"
            _log.warning("stopping without a commit", reason=reason)
            raise HurryError
        self.received = signal.Signals(number)
        signal.setitimer(signal.ITIMER_REAL, self._drain_timeout_seconds)
        _log.info("stopping", signal=self.received.name, within_seconds=self._drain_timeout_seconds)

    def __enter__(self) -> StopSignals:
        for number in (*_SIGNALS, signal.SIGALRM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
