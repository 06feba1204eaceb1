"""Asks an endpoint whether all is well, as an orchestrator's probe does, for those that cannot ask over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from detector.errors import ConfigError, UnhealthyError
from detector.printable import printable
from detector.secret_files import check_readable, file_problem, read_secret
from detector.settings import HttpSettings

_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What to ask, and as whom.

    Attributes:
        url: ``http://host:port/path`` or ``https://…``.
        tls: How to connect to an ``https`` address.
        headers: To send along, such as a login.
    """

    url: str
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] | None = None


def endpoint_of(
    settings: HttpSettings, path: str, ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> Endpoint:
    """The endpoint of a worker on this machine, by its settings.

    It is asked where it listens, so its certificate, which names the address that others know it by, is only verified
    if ``ca_file`` is given.

    Args:
        settings: The worker's section ``http``.
        path: ``/healthz`` or ``/readyz``.
        ca_file: PEM file of the authorities to trust.
        cert_file: PEM file of the client's certificate.
        key_file: PEM file of its private key.

    Raises:
        ConfigError: the port is not known beforehand, a client certificate is needed, or a file cannot be used.
    """
    if settings.port == 0:
        raise ConfigError("http.port is 0, so that nobody knows it beforehand; give the worker a port, or name the URL")
    scheme, tls = "http", None
    if settings.tls is not None:
        if settings.tls.client_ca_file is not None and cert_file is None:
            raise ConfigError(
                "the endpoints ask clients for a certificate (http.tls.client_ca_file); give --cert-file and --key-file"
            )
        scheme, tls = "https", tls_context(ca_file, cert_file, key_file, verify=ca_file is not None)
    headers = {}
    if settings.auth is not None:
        auth = settings.auth
        password = (
            auth.password.get_secret_value()
            if auth.password is not None
            else read_secret(auth.password_file or Path(), "http.auth.password_file")
        )
        login = base64.b64encode(f"{auth.username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    return Endpoint(f"{scheme}://{_reached_at(settings.host)}:{settings.port}{path}", tls, headers)


def tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None, *, verify: bool) -> ssl.SSLContext:
    """How to connect with TLS.

    Raises:
        ConfigError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"--ca-file: {file_problem(ca_file or Path(), error)}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None and key_file is not None:
        check_readable(cert_file, "--cert-file")
        check_readable(key_file, "--key-file")
        try:
            # Without a function OpenSSL would ask for the password of an encrypted key on the terminal.
            context.load_cert_chain(cert_file, key_file, lambda: "")
        except ssl.SSLError as error:
            raise ConfigError(
                f"--cert-file, --key-file: {cert_file} and {key_file} are no PEM certificate with its own, "
                f"unencrypted key ({error.reason})"
            ) from error
    return context


def ask(endpoint: Endpoint, timeout_seconds: float) -> None:
    """Return if the endpoint answers that all is well.

    Args:
        endpoint: What to ask.
        timeout_seconds: How long an answer may take.

    Raises:
        ConfigError: the address is none.
        UnhealthyError: it answers that all is not well, and with which reasons, or it does not answer.
    """
    try:
        parts = urlsplit(endpoint.url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{endpoint.url!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{endpoint.url!r} is no address; write it like http://127.0.0.1:9464/healthz")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, port, timeout=timeout_seconds, context=endpoint.tls)
    else:
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout_seconds)
    with closing(connection):
        try:
            connection.request("GET", parts.path or "/", headers=dict(endpoint.headers or {}))
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnhealthyError(f"{endpoint.url} does not answer: {printable(reason)}") from error
    if answer.status != http.HTTPStatus.OK:
        raise UnhealthyError(f"{endpoint.url} answers {answer.status}: {_reasons(body)}")


def _reached_at(host: str) -> str:
    """The address at which a server that listens on ``host`` is reached from this machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host or "127.0.0.1"
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host


def _reasons(body: bytes) -> str:
    """What an answer says, on one line."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = body.decode("utf-8", "replace").strip()
    if isinstance(found, dict):
        reasons = found.get("reasons")
        if isinstance(reasons, dict) and reasons:
            return printable("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        found = found.get("status") or found.get("error") or found
    return printable(str(found)[:200]) or "it does not say why"
