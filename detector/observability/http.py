"""The endpoints ``/metrics``, ``/healthz`` and ``/readyz``.

prometheus_client encodes the metrics; its own server is not used, for what it cannot do. It answers on every path, has
neither a login nor a time limit, and shakes hands for TLS on the one thread that accepts connections, so that a single
client that says nothing keeps all others out.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from detector.observability.health import Health, Verdict
from detector.observability.http_access import BasicAuth, ServerTls, bind_error, warn_if_exposed
from detector.observability.http_connections import SILENCE_SECONDS, BoundedServer
from detector.printable import printable
from detector.settings import HttpSettings

_PROBES: Final = ("/healthz", "/readyz")
_PATHS: Final = ("/metrics", *_PROBES)
_REFUSALS_TOLD_EVERY_SECONDS: Final = 60.0
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="reconstream", charset="UTF-8"'}
_JSON: Final = "application/json; charset=utf-8"
_LOG = structlog.get_logger(__name__)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; everything else is answered 501 by the base class."""

    server: _Server
    timeout = SILENCE_SECONDS
    server_version = "reconstream"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        try:
            path = urlsplit(self.path).path
        except ValueError:  # such as //[
            path = ""
        headers: dict[str, str] = {}
        try:
            known = self.server.knows(self.headers.get("Authorization"))
            if known or (path in _PROBES and self.server.open_probes):
                status, content_type, body = self._respond(path, known=known)
            else:
                self.server.refused(str(self.client_address[0]))
                headers = _CHALLENGE
                status, content_type, body = _json(HTTPStatus.UNAUTHORIZED, {"error": "log in"})
        except Exception:
            _LOG.exception("endpoint failed", path=printable(path[:100]))
            status, content_type, body = _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the worker's log"})
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if with_body:
                self.wfile.write(body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away, which is its own affair

    def _respond(self, path: str, *, known: bool) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            return HTTPStatus.OK, content_type, encode(self.server.registry)
        if path == "/healthz":
            return _probe(self.server.health.live(), in_full=known)
        if path == "/readyz":
            return _probe(self.server.health.ready(), in_full=known)
        return _json(HTTPStatus.NOT_FOUND, {"error": "no such path", "paths": list(_PATHS)})

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug("http request", detail=printable(format % args))


def _json(status: HTTPStatus, body: dict[str, object]) -> tuple[HTTPStatus, str, bytes]:
    return status, _JSON, json.dumps(body).encode() + b"\n"


def _probe(verdict: Verdict, *, in_full: bool) -> tuple[HTTPStatus, str, bytes]:
    body = verdict.to_dict() if in_full else {"status": verdict.to_dict()["status"]}
    return _json(HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE, body)


class _Server(BoundedServer):
    def __init__(
        self,
        family: socket.AddressFamily,
        settings: HttpSettings,
        registry: CollectorRegistry,
        health: Health,
    ) -> None:
        self.registry = registry
        self.health = health
        self.open_probes = settings.auth is not None and settings.auth.open_probes
        self._auth = None if settings.auth is None else BasicAuth(settings.auth)
        self._refusals = 0
        self._refusals_told: float | None = None
        tls = None if settings.tls is None else ServerTls(settings.tls)
        super().__init__(family, (settings.host, settings.port), _Handler, tls)

    def knows(self, authorization: str | None) -> bool:
        """Whether a request may see everything."""
        return self._auth is None or self._auth.allows(authorization)

    def refused(self, client: str) -> None:
        """Count a request without the right login; told once a minute, since anyone can make a million of them."""
        with self._lock:
            self._refusals += 1
            now = time.monotonic()
            if self._refusals_told is not None and now - self._refusals_told < _REFUSALS_TOLD_EVERY_SECONDS:
                return
            count, self._refusals, self._refusals_told = self._refusals, 0, now
        _LOG.warning("requests without the right login", count=count, client=client)


class HttpServer:
    """Serves the endpoints on threads of its own from `start` to `stop`; also a context manager.

    Args:
        settings: Where to listen; port 0 takes a free one.
        registry: What ``/metrics`` exposes.
        health: What the probes report.
    """

    def __init__(self, settings: HttpSettings, registry: CollectorRegistry, health: Health) -> None:
        self._settings = settings
        self._registry = registry
        self._health = health
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._server is None:
            raise RuntimeError("the server is not running")
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """``http://host:port`` of the running server, or ``https``."""
        host, port = self.address
        scheme = "http" if self._settings.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address, a certificate or the password file cannot be used; names the setting.
            RuntimeError: it runs already.
        """
        if self._server is not None:
            raise RuntimeError("the server runs already")
        settings = self._settings
        host, port = settings.host, settings.port
        try:
            family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            self._server = _Server(family, settings, self._registry, self._health)
        except OSError as error:
            raise bind_error(host, port, error) from error
        warn_if_exposed(settings)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and free the port; harmless when not running."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
