"""How far event time has come in a partition."""

from __future__ import annotations

_NEVER = -(1 << 100)
_SWEEPS_PER_FORGETTING = 8


class Watermark:
    """The greatest event time believed so far, and when the next look for silent series is due.

    A look is due when the watermark reaches a multiple of an eighth of ``forget_after_ns``: that follows from the
    records alone, and it is rare enough to look at every series.

    Args:
        forget_after_ns: Silence after which a series is forgotten.

    Attributes:
        ns: Nanoseconds since the epoch; far below every time while nothing is known.
    """

    __slots__ = ("_sweep_at_ns", "_sweep_every_ns", "ns")

    def __init__(self, forget_after_ns: int) -> None:
        self._sweep_every_ns = max(1, forget_after_ns // _SWEEPS_PER_FORGETTING)
        self._sweep_at_ns = self.ns = _NEVER

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return self.ns != _NEVER

    def set(self, time_ns: int | None) -> None:
        """Put it anywhere, or make it unknown."""
        self._sweep_at_ns = self.ns = _NEVER
        if time_ns is not None:
            self.ns = time_ns
            self._sweep_at_ns = (time_ns // self._sweep_every_ns + 1) * self._sweep_every_ns

    def advance(self, time_ns: int) -> bool:
        """Move it on to ``time_ns``, which is later; returns whether a look for silent series is due."""
        if time_ns < self._sweep_at_ns:
            self.ns = time_ns
            return False
        due = self.known
        self.set(time_ns)
        return due
