"""The endpoints ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import errno
import json
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from detector.errors import ConfigError
from detector.observability.health import Health, Verdict
from detector.settings import HttpSettings

_PATHS: Final = ("/metrics", "/healthz", "/readyz")
_REQUEST_TIMEOUT_SECONDS: Final = 10.0
_JSON: Final = "application/json; charset=utf-8"
_LOG = structlog.get_logger(__name__)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; everything else is answered 501 by the base class."""

    server: _Server
    # A client that connects and says nothing must not hold a thread for ever.
    timeout = _REQUEST_TIMEOUT_SECONDS
    server_version = "reconstream"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        try:
            status, content_type, body = self._respond(urlsplit(self.path).path)
        except Exception:
            _LOG.exception("endpoint failed", path=self.path)
            status, content_type, body = _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the worker's log"})
        try:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if with_body:
                self.wfile.write(body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away, which is its own affair

    def _respond(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            return HTTPStatus.OK, content_type, encode(self.server.registry)
        if path == "/healthz":
            return _probe(self.server.health.live())
        if path == "/readyz":
            return _probe(self.server.health.ready())
        return _json(HTTPStatus.NOT_FOUND, {"error": "no such path", "paths": list(_PATHS)})

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug("http request", detail=format % args)


def _json(status: HTTPStatus, body: dict[str, object]) -> tuple[HTTPStatus, str, bytes]:
    return status, _JSON, json.dumps(body).encode() + b"\n"


def _probe(verdict: Verdict) -> tuple[HTTPStatus, str, bytes]:
    return _json(HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE, verdict.to_dict())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, family: socket.AddressFamily, address: tuple[str, int], registry: CollectorRegistry, health: Health
    ) -> None:
        self.address_family = family
        self.registry = registry
        self.health = health
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's name, which can take seconds where DNS is slow; nothing here needs it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class calls it
        _LOG.debug("http connection failed", client=str(client_address), exc_info=True)


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
        """``http://host:port`` of the running server."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be used; names the setting.
            RuntimeError: it runs already.
        """
        if self._server is not None:
            raise RuntimeError("the server runs already")
        host, port = self._settings.host, self._settings.port
        try:
            family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            self._server = _Server(family, (host, port), self._registry, self._health)
        except OSError as error:
            raise _bind_error(host, port, error) from error
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


def _bind_error(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"http.port: {port} on {host} is taken by another process; choose another port, or 0 for any that is free"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(f"http.port: no permission to listen on port {port}; choose one from 1024 up")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"http.host: {host!r} is not an address of this machine; use 127.0.0.1 for local access or 0.0.0.0 for all"
        )
    return ConfigError(f"http.host, http.port: cannot listen on {host}:{port}: {error.strerror or error}")
