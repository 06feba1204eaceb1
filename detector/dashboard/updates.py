"""Live changes, as server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Final

from tornado.iostream import StreamClosedError

from detector.dashboard.base import Handler
from detector.dashboard.documents import row
from detector.dashboard.query import Query

_HEARTBEAT_SECONDS: Final = 15.0
_COALESCE_SECONDS: Final = 0.25
# More changes than these at once are quicker to read as a new list.
_MOST_CHANGES: Final = 200


class UpdatesHandler(Handler):
    """Live changes, as server-sent events; after a pause a browser goes on where it was (``Last-Event-ID``)."""

    _closed = False
    _woken: asyncio.Event | None = None
    _sent = float("-inf")

    async def get(self) -> None:
        """Send changes until somebody goes away."""
        query, parts = self.query(), self.parts
        last = self.request.headers.get("Last-Event-ID") or self.get_query_argument("after", "")
        life, _, number = last.partition("-")
        # str.isdigit() alone holds for superscripts, and int() refuses thousands of digits.
        is_number = number.isascii() and number.isdigit() and len(number) < 20
        known = int(number) if life == parts.board.life and is_number else None
        woken = parts.pulse.join()
        self._woken = woken
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self.write("retry: 1000\n\n")
        told: dict[str, Any] = {}
        now_seconds = asyncio.get_running_loop().time
        try:
            while not (parts.pulse.closed or self._closed):
                woken.clear()
                known = self._changes(query, known)
                now = parts.status()
                # Not only after a silent time: what wakes a page may be nothing that it is told of.
                if now_seconds() - self._sent >= _HEARTBEAT_SECONDS or {**now, "now": ""} != told:
                    self._send("status", now)
                    told = {**now, "now": ""}
                await self.flush()
                await _woken_within(woken, self._sent + _HEARTBEAT_SECONDS - now_seconds())
                if not parts.pulse.closed:
                    await asyncio.sleep(_COALESCE_SECONDS)
        except StreamClosedError:
            return
        finally:
            parts.pulse.leave(woken)

    def on_connection_close(self) -> None:
        """Wake up, to notice it."""
        self._closed = True
        if self._woken is not None:
            self._woken.set()

    def _changes(self, query: Query, known: int | None) -> int:
        view, life = self.parts.board.view(), self.parts.board.life
        name = f"{life}-{view.revision}"
        if known is None:
            self._send("reset", {}, name)
            return view.revision
        changed = sorted((one for one in view.incidents if one.revision > known), key=lambda one: one.revision)
        if len(changed) > _MOST_CHANGES:
            self._send("reset", {}, name)
        else:
            for one in changed:
                document = {"incident": row(one, query), "matches": query.matches(one)}
                self._send("incident", document, f"{life}-{one.revision}")
        return view.revision

    def _send(self, kind: str, document: object, name: str | None = None) -> None:
        head = "" if name is None else f"id: {name}\n"
        self._sent = asyncio.get_running_loop().time()
        self.write(f"{head}event: {kind}\ndata: {json.dumps(document)}\n\n")


async def _woken_within(woken: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(woken.wait(), seconds)
