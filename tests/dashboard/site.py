"""A dashboard's server in this process, over a board that tests fill, with a hand on its clock and its links."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.dashboard.access import AllowedHosts
from detector.dashboard.board import Board
from detector.dashboard.drawing import Draw, Studio, Tell
from detector.dashboard.following import Link
from detector.dashboard.parts import Parts
from detector.dashboard.pulse import Pulse
from detector.dashboard.server import serve
from detector.feedback.verdicts import Verdict
from detector.observability.http_access import BasicAuth
from detector.settings import DashboardSettings

NOW_NS = parse_time("2026-01-02T12:00:00.000Z")


def draw(one: Event, tell: Tell) -> Iterator[dict[str, Any]]:
    tell("reading")
    yield {"item": {"doc": one.series}}


class Site:
    """A server on a thread of this process, over a board that tests fill."""

    def __init__(self, settings: DashboardSettings, assets: Any) -> None:
        self.settings = settings
        self.board = Board(settings.max_incidents)
        self.links = [Link("events", "live", NOW_NS), Link("feedback", "missing", NOW_NS)]
        self.given: list[Verdict] = []
        self.refuse: Exception | None = None
        self.draw: Draw = draw
        self.timeline: Callable[..., Any] = lambda found, since, until, known: None
        self.studio = Studio(lambda one, tell: self.draw(one, tell), threads=1)
        self._assets = assets
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self.url = ""
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(self.settings, self._parts, self._stop, self._started)

    def _started(self, url: str) -> None:
        self.url = url
        self._ready.set()

    def _parts(self) -> Parts:
        pulse = Pulse()
        self.board.listen(pulse.beat)
        auth = self.settings.auth
        return Parts(
            settings=self.settings, board=self.board, links=lambda: self.links, studio=self.studio,
            timeline=lambda *shown: self.timeline(*shown), give=self._give,
            config="detector.yaml", since_ns=0, clock=lambda: NOW_NS, pulse=pulse, assets=self._assets,
            hosts=AllowedHosts(self.settings), auth=None if auth is None else BasicAuth(auth),
        )  # fmt: skip

    def _give(self, verdict: Verdict) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.given.append(verdict)

    def close(self) -> None:
        self.studio.close()
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        assert place.hostname is not None
        if context is not None:
            return http.client.HTTPSConnection(place.hostname, place.port, timeout=20, context=context)
        return http.client.HTTPConnection(place.hostname, place.port, timeout=20)

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers, and the body, read if it is JSON."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            data = response.read()
            as_json = response.headers.get("Content-Type", "").startswith("application/json")
            return response.status, response.headers, json.loads(data) if as_json else data
        finally:
            connection.close()

    def say(self, name: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
        headers = {"Content_Type": "application/json", **headers}
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.ask(f"/api/incidents/{name}/feedback", "POST", data, **headers)
