"""A server for HTTP that outlasts its clients: so many connections, for so long, TLS off the thread that accepts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

import structlog

from detector.observability.http_access import ServerTls

SILENCE_SECONDS: Final = 10.0
"""Longest silence of a client."""
CONNECTION_SECONDS: Final = 30.0
"""Longest life of a connection: a client that sends a byte now and then is never silent."""
MAX_CONNECTIONS: Final = 64

_LOG = structlog.get_logger(__name__)


class BoundedServer(ThreadingHTTPServer):
    """One thread per connection, of which there are at most `MAX_CONNECTIONS`; further ones are closed at once.

    Args:
        family: Of the address.
        address: Host and port; port 0 takes a free one.
        handler: Makes an answer; one object per connection.
        tls: Encrypts, if it is given.

    Raises:
        OSError: the address cannot be used.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(
        self,
        family: socket.AddressFamily,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        tls: ServerTls | None,
    ) -> None:
        self.address_family = family
        self._tls = tls
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, without the look-up of the host's name, which can take seconds where DNS is slow; nothing needs it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base class calls it
        """Whether there is room for one more connection; the base class closes it otherwise."""
        with self._lock:
            if len(self._deadlines) >= MAX_CONNECTIONS:
                return False
            self._deadlines[request] = time.monotonic() + CONNECTION_SECONDS
            return True

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands and answer, on the connection's own thread: who does not shake hands keeps nobody waiting."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        # Of a twin, since wrapping takes the socket away from the base class, which will close it.
        twin = request.dup()
        twin.settimeout(SILENCE_SECONDS)
        with self._tls.context().wrap_socket(twin, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End the connections that took too long; called several times a second."""
        now = time.monotonic()
        with self._lock:
            late = [request for request, deadline in self._deadlines.items() if now > deadline]
            for request in late:
                # Wakes the thread that waits for it, which then closes it. Under the lock, so that it is still open.
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class calls it
        """A client's failure, such as a handshake that came to nothing, is its own affair."""
        _LOG.debug("http connection failed", client=str(client_address), exc_info=True)
