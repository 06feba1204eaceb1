"""What all answers have in common: who may ask, what is wrong in words, headers that make browsers careful."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

import structlog
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from detector.dashboard.access import HEADERS, forgery
from detector.dashboard.board import Incident
from detector.dashboard.parts import Parts
from detector.dashboard.pulse import TooManyError
from detector.dashboard.query import Query
from detector.errors import DetectorError, KafkaUnavailableError
from detector.kafka.errors import TransientKafkaError
from detector.printable import printable

_CHALLENGE: Final = 'Basic realm="reconstream", charset="UTF-8"'
_LOG = structlog.get_logger(__name__)


class Handler(RequestHandler):
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
            raise RefusalError(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this page is not known as {printable(request.host[:100])!r}; use its address, or add the name to "
                "dashboard.allowed_hosts",
            )
        auth = parts.settings.auth
        open_probe = self.open_to_probes and auth is not None and auth.open_probes
        if parts.auth is not None and not open_probe and not parts.auth.allows(request.headers.get("Authorization")):
            raise RefusalError(HTTPStatus.UNAUTHORIZED, "log in")
        # A link to the page in a mail, or on another page, may be followed; it must not be asked by one for data.
        navigates = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
        reason = None if navigates else forgery(request.method or "", request.headers)
        if reason is not None:
            raise RefusalError(HTTPStatus.FORBIDDEN, reason)

    def query(self) -> Query:
        """What the address asks for.

        Raises:
            ConfigError: it asks for what there is not.
        """
        arguments = {name: self.get_query_arguments(name) for name in self.request.query_arguments}
        for name in ("after", "reach"):  # which narrow nothing down
            arguments.pop(name, None)
        return Query.parse(arguments, self.parts.clock())

    def incident(self, name: str) -> Incident:
        """An incident by its id.

        Raises:
            HTTPError: there is none.
        """
        found = self.parts.board.incident(name)
        if found is None:
            raise RefusalError(
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
        if isinstance(error, RefusalError):
            message = error.reason_in_full
        elif isinstance(error, HTTPError) and error.log_message:
            message = error.log_message
        elif isinstance(error, KafkaUnavailableError | TransientKafkaError | TooManyError):
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
        if not isinstance(value, HTTPError | DetectorError | TooManyError | StreamClosedError):
            _LOG.error("request failed", path=printable(self.request.path[:100]), exc_info=(typ, value, tb))


class RefusalError(HTTPError):
    """A request that is not answered.

    Args:
        status: Of the answer.
        reason: Why, for people.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(status)
        self.reason_in_full = reason
