"""The page and its files, lists, one incident, pictures, and whether all is well."""

from __future__ import annotations

import json
from http import HTTPStatus

from detector import __version__
from detector.dashboard.aside import off_the_loop
from detector.dashboard.base import Handler, RefusalError
from detector.dashboard.documents import in_full, listing
from detector.dashboard.span import span


class AssetHandler(Handler):
    """The page and its files."""

    def get(self) -> None:
        """A file, unless the browser has it."""
        asset = self.parts.assets.get(self.request.path)
        if asset is None:
            raise RefusalError(HTTPStatus.NOT_FOUND, "no such path")
        self.set_header("Content-Type", asset.content_type)
        self.set_header("ETag", asset.etag)
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if asset.etag in self.request.headers.get("If-None-Match", ""):
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.finish()
        elif "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(asset.packed)
        else:
            self.finish(asset.data)

    head = get


class SetupHandler(Handler):
    """What the page has to know once."""

    def get(self) -> None:
        """Rights and names."""
        settings = self.parts.settings
        self.answer(
            {
                "version": __version__,
                "read_only": settings.read_only,
                "author": "" if settings.auth is None else settings.auth.username,
                "most_incidents": settings.max_incidents,
            }
        )


class ListHandler(Handler):
    """A list of incidents."""

    def get(self) -> None:
        """A page of it."""
        query, parts = self.query(), self.parts
        view = parts.board.view()
        document = listing(view, query, parts.board.life)
        document["status"] = parts.status()
        self.answer(document)


class IncidentHandler(Handler):
    """One incident."""

    def get(self, name: str) -> None:
        """All that is known of it."""
        self.answer(in_full(self.incident(name), self.parts.board.view(), self.parts.config))


class PictureHandler(Handler):
    """What happened, in pictures."""

    def get(self, name: str) -> None:
        """How far the picture is, and what is drawn of it so far; ask again while it is not done.

        What is drawn is left out where the query's ``seen`` names the step that it is of, since it may be long.
        """
        event = self.incident(name).latest.event
        drawing = self.parts.studio.ask(event)
        head = {
            "state": drawing.state, "message": drawing.message, "ahead": drawing.ahead, "event_id": event.event_id,
            "step": drawing.step,
        }  # fmt: skip
        known = self.get_query_argument("seen", "") == f"{event.event_id}.{drawing.step}"
        begin = json.dumps(head).encode()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        document = b"null" if known or drawing.document is None else drawing.document
        self.finish(begin[:-1] + b', "picture": ' + document + b"}\n")


class TimelineHandler(Handler):
    """Incidents over time, in one picture."""

    async def get(self) -> None:
        """Of those that are asked for, whatever the page of the list."""
        query, parts = self.query(), self.parts
        wanted = query.select(parts.board.view().incidents)
        shown = span(wanted, query.since_ns, query.until_ns, self.get_query_argument("reach", "") or "week")
        picture = None
        if shown is not None:
            async with parts.drawing_timeline:
                picture = await off_the_loop(lambda: parts.timeline(*shown, len(wanted)))
        self.answer({"picture": picture})


class HealthHandler(Handler):
    """Whether this program runs (``/healthz``), and whether it has something to show (``/readyz``).

    It stays ready when brokers go away: the page then says so, which nobody would read if it were taken out of service.
    """

    open_to_probes = True

    def get(self) -> None:
        """200 or 503, with the state of each topic."""
        links = self.parts.links()
        ready = all(link.read_once or link.state == "missing" for link in links)
        ok = ready or self.request.path == "/healthz"
        document = {"status": "ok" if ok else "failing", "topics": {link.topic: link.state for link in links}}
        auth = self.parts.settings.auth
        if auth is not None and auth.open_probes:
            del document["topics"]
        self.answer(document, HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE)

    head = get
