"""When pending windows must be scored before anything else happens, since a model carries something along.

What is carried along a series is right once its windows are scored. Three things need that: a series that goes to the
local file, one that comes back into a slot of which another series' windows may still be pending, and a snapshot. How
windows are cut into batches changes no outcome, so scoring them early does not either.
"""

from __future__ import annotations

from collections.abc import Callable

from detector.series.carried import Carried
from detector.series.windows import PendingWindows


class Settling:
    """Has pending windows scored when that is needed, and never where nothing is carried.

    Args:
        windows: Those that are pending.
        carried: What a model carries.
        settle: Takes all pending windows and has them scored; None: the caller sees to it that none are pending.
    """

    __slots__ = ("_carried", "_settle", "_slot_came_free", "_windows")

    def __init__(self, windows: PendingWindows, carried: Carried, settle: Callable[[], None] | None) -> None:
        self._windows = windows
        self._carried = carried
        self._settle = settle
        self._slot_came_free = False

    def now(self) -> None:
        """See to it that no windows are pending.

        Raises:
            RuntimeError: some are, and nobody said how to score them.
        """
        pending = len(self._windows)
        if self._carried.states is None or not pending:
            return
        if self._settle is not None:
            self._settle()
        if len(self._windows):
            raise RuntimeError(f"{pending} windows are pending: take() and score them first")

    def before_reload(self) -> None:
        """A series may get a slot and what was carried along it."""
        if self._slot_came_free:
            self.now()

    def slot_came_free(self) -> None:
        """A series was forgotten; windows of it may be pending."""
        self._slot_came_free |= len(self._windows) > 0

    def taken(self) -> None:
        """All pending windows were taken."""
        self._slot_came_free = False
