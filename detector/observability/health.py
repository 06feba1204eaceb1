"""Whether the worker lives and whether it is ready, and why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer of a probe.

    Attributes:
        ok: Whether all is well.
        reasons: What is not, by condition; empty when ``ok``.
        seconds_since_progress: Since the loop last went round.
    """

    ok: bool
    reasons: dict[str, str]
    seconds_since_progress: float

    def to_dict(self) -> dict[str, object]:
        """For a JSON body."""
        return {
            "status": "ok" if self.ok else "unavailable",
            "reasons": self.reasons,
            "seconds_since_progress": round(self.seconds_since_progress, 3),
        }


class Health:
    """What the probes ``/healthz`` and ``/readyz`` report. The loop writes it, the HTTP threads read it.

    Alive means that the loop went round within ``stalled_after_seconds``; the time before its first round counts from
    the creation of this object, so that a start that hangs is noticed too. Ready means that every condition is met,
    and that the worker is alive.

    Args:
        clock: Monotonic seconds.
        stalled_after_seconds: Longest time without progress.
        conditions: What must be met before the worker is ready, such as ``model`` and ``assignment``; none is at first.
    """

    def __init__(self, clock: Callable[[], float], stalled_after_seconds: float, conditions: Iterable[str]) -> None:
        self._clock = clock
        self._stalled_after_seconds = stalled_after_seconds
        self._unmet = dict.fromkeys(conditions, "not yet")
        self._conditions = frozenset(self._unmet)
        self._failure: str | None = None
        self._progress = clock()
        self._lock = threading.Lock()

    def loop_progress(self) -> None:
        """The loop went round."""
        with self._lock:
            self._progress = self._clock()

    def set_ready(self, condition: str) -> None:
        """A condition is met.

        Raises:
            ValueError: it is not one of the conditions.
        """
        self._check(condition)
        with self._lock:
            self._unmet.pop(condition, None)

    def set_not_ready(self, condition: str, reason: str) -> None:
        """A condition is not, or no longer, met.

        Raises:
            ValueError: it is not one of the conditions.
        """
        self._check(condition)
        with self._lock:
            self._unmet[condition] = reason

    def set_failed(self, reason: str) -> None:
        """The worker cannot go on; neither probe succeeds any more."""
        with self._lock:
            self._failure = reason

    def _check(self, condition: str) -> None:
        if condition not in self._conditions:
            raise ValueError(f"{condition!r} is not one of the conditions {sorted(self._conditions)}")

    def live(self) -> Verdict:
        """Whether the loop makes progress."""
        with self._lock:
            idle_seconds = self._clock() - self._progress
            failure = self._failure
        reasons = {}
        if failure is not None:
            reasons["worker"] = failure
        if idle_seconds > self._stalled_after_seconds:
            reasons["loop"] = f"no progress for {idle_seconds:.1f} s; the limit is {self._stalled_after_seconds:g} s"
        return Verdict(not reasons, reasons, idle_seconds)

    def ready(self) -> Verdict:
        """Whether the worker does its work."""
        live = self.live()
        with self._lock:
            reasons = live.reasons | self._unmet
        return Verdict(not reasons, reasons, live.seconds_since_progress)
