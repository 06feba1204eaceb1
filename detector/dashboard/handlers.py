"""What the page asks for over HTTP: lists, one incident, pictures, live changes, and verdicts that it sends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, get_args

import structlog
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from detector import __version__
from detector.alerting.timestamps import format_time
from detector.dashboard.access import HEADERS, AllowedHosts, forgery
from detector.dashboard.assets import Asset
from detector.dashboard.board import Board, Incident
from detector.dashboard.documents import in_full, listing, row, status
from detector.dashboard.drawing import Studio
from detector.dashboard.following import Link
from detector.dashboard.query import Query
from detector.dashboard.span import span
from detector.errors import DetectorError, KafkaUnavailableError
from detector.feedback.verdicts import Verdict, VerdictName, verdict_on
from detector.kafka.errors import TransientKafkaError
from detector.observability.http_access import BasicAuth
from detector.printable import printable
from detector.settings import DashboardSettings

_LOG = structlog.get_logger(__name__)
_HEARTBEAT_SECONDS: Final = 15.0
_COALESCE_SECONDS: Final = 0.25
# More changes than these at once are quicker to read as a new list.
_MOST_CHANGES: Final = 200
_MOST_LISTENERS: Final = 64
_LONGEST_NOTE: Final = 2000
_LONGEST_AUTHOR: Final = 100
_MAY_BE_SAID: Final = frozenset(get_args(VerdictName)) - {"missed"}
_CHALLENGE: Final = 'Basic realm="reconstream", charset="UTF-8"'


class Pulse:
    """Wakes those who wait for changes; belongs to one event loop, and may be beaten by any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    def beat(self) -> None:
        """Something has changed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Have all who wait go home."""
        self.closed = True
        self._wake()

    def join(self) -> asyncio.Event:
        """Be woken from now on.

        Raises:
            HTTPError: so many are, already, that no more can be served.
        """
        if len(self._waiting) >= _MOST_LISTENERS:
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, log_message="too many pages are open at once")
        found = asyncio.Event()
        self._waiting.add(found)
        return found

    def leave(self, found: asyncio.Event) -> None:
        """Be woken no more."""
        self._waiting.discard(found)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the handlers work with.

    Attributes:
        settings: Of the dashboard.
        board: The incidents.
        links: How it stands with the topics.
        studio: Draws pictures.
        timeline: Draws incidents over time, from one event time in nanoseconds to another.
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
    timeline: Callable[[list[Incident], int, int], dict[str, Any]]
    give: Callable[[Verdict], None]
    config: str
    since_ns: int
    clock: Callable[[], int]
    pulse: Pulse
    assets: Mapping[str, Asset]
    hosts: AllowedHosts
    auth: BasicAuth | None
    refused: dict[str, int] = field(default_factory=dict)


class _Handler(RequestHandler):
    """Checks who asks before anything else, and answers errors as JSON."""

    open_to_probes = False

    def initialize(self, parts: Parts) -> None:
        """Take what is shared."""
        self.parts = parts

    def set_default_headers(self) -> None:
        """See `HEADERS`."""
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        """Refuse who may not ask."""
        request, parts = self.request, self.parts
        if not self.open_to_probes and not parts.hosts.allow(request.host):
            raise _RefusalError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this page is not known as {printable(request.host[:100])!r}; use its address, or add the name to "
                "dashboard.allowed_hosts",
            )
        auth = parts.settings.auth
        open_probe = self.open_to_probes and auth is not None and auth.open_probes
        if parts.auth is not None and not open_probe and not parts.auth.allows(request.headers.get("Authorization")):
            raise _RefusalError(HTTPStatus.UNAUTHORIZED, "log in")
        # A link to the page in a mail, or on another page, may be followed; it must not be asked by one for data.
        navigates = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
        reason = None if navigates else forgery(request.method or "", request.headers)
        if reason is not None:
            raise _RefusalError(HTTPStatus.FORBIDDEN, reason)

    def query(self) -> Query:
        """What the address asks for.

        Raises:
            ConfigError: it asks for what there is not.
        """
        arguments = {name: self.get_query_arguments(name) for name in self.request.query_arguments}
        arguments.pop("after", None)
        return Query.parse(arguments, self.parts.clock())

    def incident(self, name: str) -> Incident:
        """An incident by its id.

        Raises:
            HTTPError: there is none.
        """
        found = self.parts.board.incident(name)
        if found is None:
            raise _RefusalError(
                HTTPStatus.NOT_FOUND,
                f"there is no incident {name[:40]} on the board; it may be older than the board looks back, or its id "
                "may be wrong",
            )
        return found

    def answer(self, document: object, status: int = HTTPStatus.OK) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(document).encode() + b"\n")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what is wrong, as JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, _RefusalError):
            message = error.reason_in_full
        elif isinstance(error, HTTPError) and error.log_message:
            message = error.log_message
        elif isinstance(error, KafkaUnavailableError | TransientKafkaError):
            status_code, message = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        elif isinstance(error, DetectorError):
            status_code, message = HTTPStatus.BAD_REQUEST, str(error)
        elif status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            message = "this failed; see the log of the dashboard"
        else:
            message = HTTPStatus(status_code).phrase.lower()
        if status_code == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", _CHALLENGE)
        self.answer({"error": message}, status_code)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is our own fault, and nothing else."""
        if not isinstance(value, HTTPError | DetectorError | StreamClosedError):
            _LOG.error("request failed", path=printable(self.request.path[:100]), exc_info=(typ, value, tb))


class _RefusalError(HTTPError):
    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(status)
        self.reason_in_full = reason


class AssetHandler(_Handler):
    """The page and its files."""

    def get(self) -> None:
        """A file, unless the browser has it."""
        asset = self.parts.assets.get(self.request.path)
        if asset is None:
            raise _RefusalError(HTTPStatus.NOT_FOUND, "no such path")
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


class SetupHandler(_Handler):
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


class ListHandler(_Handler):
    """A list of incidents."""

    def get(self) -> None:
        """A page of it."""
        query, parts = self.query(), self.parts
        view = parts.board.view()
        document = listing(view, query, parts.board.life)
        document["status"] = status(view, parts.links(), parts.clock(), parts.since_ns)
        self.answer(document)


class IncidentHandler(_Handler):
    """One incident."""

    def get(self, name: str) -> None:
        """All that is known of it."""
        self.answer(in_full(self.incident(name), self.parts.board.view(), self.parts.config))


class PictureHandler(_Handler):
    """What happened, in pictures."""

    def get(self, name: str) -> None:
        """How far the picture is, and what is drawn of it so far; ask again while it is not done."""
        event = self.incident(name).latest.event
        drawing = self.parts.studio.ask(event)
        head = {"state": drawing.state, "message": drawing.message, "ahead": drawing.ahead, "event_id": event.event_id}
        begin = json.dumps(head).encode()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        # What is drawn is JSON already, and may be long.
        self.finish(begin[:-1] + b', "picture": ' + (drawing.document or b"null") + b"}\n")


class TimelineHandler(_Handler):
    """Incidents over time, in one picture."""

    def get(self) -> None:
        """Of those that are asked for, whatever the page of the list."""
        query, parts = self.query(), self.parts
        shown = span(query.select(parts.board.view().incidents), query.since_ns, query.until_ns)
        self.answer({"picture": None if shown is None else parts.timeline(*shown)})


class UpdatesHandler(_Handler):
    """Live changes, as server-sent events; after a pause a browser goes on where it was (``Last-Event-ID``)."""

    _closed = False
    _woken: asyncio.Event | None = None

    async def get(self) -> None:
        """Send changes until somebody goes away."""
        query, parts = self.query(), self.parts
        last = self.request.headers.get("Last-Event-ID") or self.get_query_argument("after", "")
        life, _, number = last.partition("-")
        known = int(number) if life == parts.board.life and number.isdigit() else None
        woken = parts.pulse.join()
        self._woken = woken
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self.write("retry: 1000\n\n")
        told: dict[str, Any] = {}
        due = True
        try:
            while not (parts.pulse.closed or self._closed):
                woken.clear()
                known = self._changes(query, known)
                now = status(parts.board.view(), parts.links(), parts.clock(), parts.since_ns)
                if due or {**now, "now": ""} != told:
                    self._send("status", now)
                    told = {**now, "now": ""}
                await self.flush()
                due = not await _woken_within(woken, _HEARTBEAT_SECONDS)
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
        self.write(f"{head}event: {kind}\ndata: {json.dumps(document)}\n\n")


class FeedbackHandler(_Handler):
    """What somebody says about an incident."""

    async def post(self, name: str) -> None:
        """Put it on the feedback topic; the board hears of it from there, like everyone."""
        parts = self.parts
        if parts.settings.read_only:
            raise _RefusalError(HTTPStatus.FORBIDDEN, "this dashboard only shows (dashboard.read_only)")
        event = self.incident(name).latest.event
        said = self._said()
        now = parts.clock() // 1_000_000 * 1_000_000
        verdict = verdict_on(event, said[0], author=said[1], note=said[2], given_at=format_time(now))
        await _off_the_loop(parts.give, verdict)
        _LOG.info("verdict given", incident_id=event.incident_id, verdict=verdict.verdict, author=verdict.author)
        self.answer({"verdict": verdict.verdict, "given_at": verdict.given_at})

    def _said(self) -> tuple[VerdictName, str, str]:
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "send a JSON object with verdict, author and note")
        verdict, author, note = body.get("verdict"), body.get("author"), body.get("note", "")
        if not isinstance(verdict, str) or verdict not in _MAY_BE_SAID:
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"verdict: choose of {', '.join(sorted(_MAY_BE_SAID))}")
        auth = self.parts.settings.auth
        if auth is not None and not author:
            author = auth.username
        if not isinstance(author, str) or not 0 < len(author.strip()) <= _LONGEST_AUTHOR:
            raise _RefusalError(
                HTTPStatus.BAD_REQUEST, f"author: say who you are, in up to {_LONGEST_AUTHOR} characters"
            )
        if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"note: up to {_LONGEST_NOTE} characters of text")
        if not _encodes(author + note):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "author and note must be text that can be encoded as UTF-8")
        return verdict, author.strip(), note.strip()  # type: ignore[return-value]  # one of those that may be said


class HealthHandler(_Handler):
    """Whether this program runs (``/healthz``), and whether what it shows is up to date (``/readyz``)."""

    open_to_probes = True

    def get(self) -> None:
        """200 or 503, with the state of each topic."""
        links = self.parts.links()
        ready = all(link.state in ("live", "missing") for link in links)
        ok = ready or self.request.path == "/healthz"
        document = {"status": "ok" if ok else "failing", "topics": {link.topic: link.state for link in links}}
        auth = self.parts.settings.auth
        if auth is not None and auth.open_probes:
            del document["topics"]
        self.answer(document, HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE)

    head = get


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _woken_within(woken: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(woken.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _off_the_loop(work: Callable[[Verdict], None], argument: Verdict) -> None:
    """Have something done on a thread that does not keep the program from ending, whatever a broker does."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work(argument)
        except Exception as caught:
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="give a verdict", daemon=True).start()
    await done
