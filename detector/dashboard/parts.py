"""What those who answer requests work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from detector.alerting.timestamps import format_time
from detector.dashboard.access import AllowedHosts
from detector.dashboard.assets import Asset
from detector.dashboard.board import Board, Incident
from detector.dashboard.documents import status
from detector.dashboard.drawing import Studio
from detector.dashboard.following import Link
from detector.dashboard.pulse import Pulse
from detector.feedback.verdicts import Verdict
from detector.observability.http_access import BasicAuth
from detector.settings import DashboardSettings

# After so long it is worked out anew although nothing was heard: what counts as lately changes with time.
_STATUS_NS: Final = 10 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the handlers work with.

    Attributes:
        settings: Of the dashboard.
        board: The incidents.
        links: How it stands with the topics.
        studio: Draws pictures.
        timeline: Draws incidents over time, from one event time in nanoseconds to another, of so many in all.
        give: Puts a verdict on the feedback topic; may block, and raise what users can mend.
        config: Path of the configuration, as it was given.
        since_ns: Wall time from which on events count.
        clock: Wall time, nanoseconds since the epoch.
        pulse: Wakes those who wait for changes.
        assets: By path.
        hosts: Names under which the page may be asked for.
        auth: Who may ask; None: everyone.
    """

    settings: DashboardSettings
    board: Board
    links: Callable[[], list[Link]]
    studio: Studio
    timeline: Callable[[list[Incident], int, int, int], dict[str, Any]]
    give: Callable[[Verdict], None]
    config: str
    since_ns: int
    clock: Callable[[], int]
    pulse: Pulse
    assets: Mapping[str, Asset]
    hosts: AllowedHosts
    auth: BasicAuth | None
    drawing_timeline: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _told: list[tuple[tuple[object, ...], dict[str, Any]]] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        """How it stands as a whole; worked out anew where something has changed, or after a while."""
        now_ns, view, links = self.clock(), self.board.view(), self.links()
        key = (view.revision, tuple(view.bad_records.items()), view.left_out, tuple(links), now_ns // _STATUS_NS)
        if not self._told or self._told[0][0] != key:
            self._told[:] = [(key, status(view, links, now_ns, self.since_ns))]
        return {**self._told[0][1], "now": format_time(now_ns)}
