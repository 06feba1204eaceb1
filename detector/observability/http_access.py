"""Who may ask the endpoints: TLS with the server's certificate, certificates of clients, and a password."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import hmac
import socket
import ssl
from ipaddress import ip_address
from pathlib import Path

import structlog

from detector.errors import ConfigError
from detector.secret_files import file_problem, key_pair, read_secret
from detector.settings import DashboardSettings, HttpAuthSettings, HttpSettings, HttpTlsSettings

_LOG = structlog.get_logger(__name__)
# Longer ones are no login; http.server itself lets a header have 64 KiB.
_MAX_HEADER = 4096


class ServerTls:
    """The server's side of TLS 1.2 or newer. A certificate that was renewed is taken up with the next connection.

    With ``client_ca_file`` every client must show a certificate of that authority; those of the system do not count.

    Args:
        settings: Names the files.
        section: Of the settings, for messages.

    Raises:
        ConfigError: a file cannot be read, is no PEM file, or the key does not fit.
    """

    def __init__(self, settings: HttpTlsSettings, section: str = "http.tls") -> None:
        self._settings = settings
        self._section = section
        self._stamps = self._now()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """For the next connection. Files that cannot be used leave the former ones in force, with a warning."""
        stamps = self._now()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = self._load()
            except ConfigError as error:
                _LOG.warning("renewed certificate cannot be used", error=str(error))
            else:
                _LOG.info("certificate renewed", path=str(self._settings.cert_file))
        return self._context

    def _now(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._settings.cert_file, self._settings.key_file))

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        settings = self._settings
        key_pair(context, settings.cert_file, settings.key_file, settings.key_password, self._section)
        if settings.client_ca_file is not None:
            try:
                context.load_verify_locations(settings.client_ca_file)
            except OSError as error:  # ssl.SSLError is one
                problem = file_problem(settings.client_ca_file, error)
                raise ConfigError(f"{self._section}.client_ca_file: {problem}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class BasicAuth:
    """Compares a request's login with the one that is set, in a time that does not tell how much of it is right.

    Args:
        settings: Name and password, or the file that holds it.
        section: Of the settings, for messages.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, settings: HttpAuthSettings, section: str = "http.auth") -> None:
        if settings.password_file is not None:
            password = read_secret(settings.password_file, f"{section}.password_file")
        else:
            assert settings.password is not None  # noqa: S101 - one of the two, as the settings check
            password = settings.password.get_secret_value()
        self._expected = hashlib.sha256(f"{settings.username}:{password}".encode()).digest()

    def allows(self, header: str | None) -> bool:
        """Whether an ``Authorization`` header has name and password (RFC 7617)."""
        if header is None or len(header) > _MAX_HEADER:
            return False
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):  # ValueError: not ASCII
            return False
        return hmac.compare_digest(hashlib.sha256(given).digest(), self._expected)


def warn_if_exposed(settings: HttpSettings | DashboardSettings, section: str = "http") -> None:
    """Log a warning when others than this machine can listen in, or ask without being asked who they are.

    Args:
        settings: Where is listened, and how.
        section: Of the settings, for messages.
    """
    if is_loopback(settings.host):
        return
    if settings.tls is None and settings.auth is None:
        remedy = (
            f"set {section}.tls or {section}.auth, or let a network policy or a proxy decide who may reach the port"
        )
        _LOG.warning("endpoints are open to everyone who reaches them", host=settings.host, remedy=remedy)
    elif settings.tls is None:
        remedy = f"set {section}.tls, or put a proxy with TLS in front"
        _LOG.warning("login to the endpoints crosses the network unencrypted", host=settings.host, remedy=remedy)


def bind_error(host: str, port: int, error: OSError, section: str = "http") -> ConfigError:
    """What to say when an address cannot be listened on.

    Args:
        host: That was asked for.
        port: That was asked for.
        error: That came of it.
        section: Of the settings, for the message.
    """
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"{section}.port: {port} on {host} is taken by another process; choose another port, or 0 for any that is "
            "free"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(f"{section}.port: no permission to listen on port {port}; choose one from 1024 up")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"{section}.host: {host!r} is not an address of this machine; use 127.0.0.1 for local access or 0.0.0.0 "
            "for all"
        )
    return ConfigError(f"{section}.host, {section}.port: cannot listen on {host}:{port}: {error.strerror or error}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
