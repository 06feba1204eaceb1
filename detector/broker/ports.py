"""Free and taken TCP ports of the loopback interface."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket

from detector.broker.properties import HOST
from detector.errors import ConfigError

# Below the ports that systems give to outgoing connections: one of those could take the port of a broker that is being
# restarted.
_FIRST_PORT, _PORTS = 20_000, 12_000


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on at this moment."""
    found: set[int] = set()
    while len(found) < count:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            found.add(port)
    return list(found)


def check_free(port: int) -> None:
    """Make sure that a server can listen on a port.

    Raises:
        ConfigError: another program listens there, or this user may not.
    """
    with socket.socket() as probe:
        # As Java does: connections that are still closing down do not keep a new server out.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {port} of {HOST} is taken by another program; stop it, or choose another port with --port "
                    "(0: any free one)"
                ) from error
            raise ConfigError(
                f"cannot listen on port {port} of {HOST}: {error.strerror}; choose another port with --port"
            ) from error
