"""The server of the page: listens, encrypts where settings say so, and ends at once when told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import structlog
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from detector.dashboard.handlers import (
    AssetHandler,
    HealthHandler,
    IncidentHandler,
    ListHandler,
    PictureHandler,
    SetupHandler,
    TimelineHandler,
)
from detector.dashboard.judging import FeedbackHandler
from detector.dashboard.parts import Parts
from detector.dashboard.updates import UpdatesHandler
from detector.observability.http_access import ServerTls, bind_error, warn_if_exposed
from detector.printable import printable
from detector.settings import DashboardSettings

_LOG = structlog.get_logger(__name__)
_MOST_BODY_BYTES = 65_536
_MOST_HEADER_BYTES = 16_384
_BODY_SECONDS = 10
_IDLE_SECONDS = 75
# Well below the files that a process may usually have open: with none left, nobody could be let in or told so.
_MOST_CONNECTIONS = 512


class _Server(HTTPServer):
    """Closes further connections at once, once there are `_MOST_CONNECTIONS`."""

    _open = 0

    def handle_stream(self, stream: Any, address: Any) -> None:
        """Take a connection; called by the base class."""
        if self._open >= _MOST_CONNECTIONS:
            stream.close()
            return
        self._open += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        """A connection has ended; called by the base class."""
        self._open -= 1
        super().on_close(server_conn)


def application(parts: Parts) -> Application:
    """All that is answered, and how."""
    shared = {"parts": parts}
    incident = r"/api/incidents/([0-9a-f]{1,64})"
    routes = [
        (r"/healthz|/readyz", HealthHandler, shared),
        (r"/api/setup", SetupHandler, shared),
        (r"/api/incidents", ListHandler, shared),
        (incident, IncidentHandler, shared),
        (rf"{incident}/picture", PictureHandler, shared),
        (rf"{incident}/feedback", FeedbackHandler, shared),
        (r"/api/timeline", TimelineHandler, shared),
        (r"/api/updates", UpdatesHandler, shared),
        (r"/.*", AssetHandler, shared),
    ]
    return Application(routes, log_function=_log_request)


def listen(settings: DashboardSettings, app: Application) -> tuple[HTTPServer, str]:
    """Listen.

    Args:
        settings: Where, and how.
        app: What is answered.

    Returns:
        The server and its address, ``http://host:port``.

    Raises:
        ConfigError: the address or a certificate cannot be used; names the setting.
    """
    context = None if settings.tls is None else _renewing(ServerTls(settings.tls, "dashboard.tls"))
    server = _Server(
        app,
        ssl_options=context,
        max_body_size=_MOST_BODY_BYTES,
        max_header_size=_MOST_HEADER_BYTES,
        body_timeout=_BODY_SECONDS,
        idle_connection_timeout=_IDLE_SECONDS,
    )
    try:
        sockets = bind_sockets(settings.port, settings.host)
    except OSError as error:
        raise bind_error(settings.host, settings.port, error, "dashboard") from error
    server.add_sockets(sockets)
    warn_if_exposed(settings, "dashboard")
    host, port = sockets[0].getsockname()[:2]
    scheme = "http" if context is None else "https"
    return server, f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


async def serve(
    settings: DashboardSettings, make_parts: Callable[[], Parts], stop: asyncio.Event, started: Callable[[str], None]
) -> None:
    """Serve the page until told to stop.

    Args:
        settings: Where to listen, and how.
        make_parts: Makes what the handlers work with, in the running event loop.
        stop: Is set when it is time to end.
        started: Is told the address, once it is listened on.

    Raises:
        ConfigError: the address or a certificate cannot be used.
    """
    parts = make_parts()
    server, url = listen(settings, application(parts))
    try:
        started(url)
        await stop.wait()
    finally:
        server.stop()
        parts.pulse.close()
        # Pages that listen for changes are let go of before their connections are closed.
        await asyncio.sleep(0)
        await server.close_all_connections()


def _renewing(tls: ServerTls) -> ssl.SSLContext:
    """A context that takes up a renewed certificate with the next handshake."""
    context = tls.context()

    def renew(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, ours: ssl.SSLContext) -> None:
        del name, ours
        connection.context = tls.context()

    context.sni_callback = renew
    return context


def _log_request(handler: Any) -> None:
    request = handler.request
    _LOG.debug("http request", method=request.method, path=printable(request.path[:200]), status=handler.get_status())
