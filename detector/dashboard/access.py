"""Who may ask the page, from where, and what browsers are told about it.

After OWASP's cheat sheets on cross-site request forgery, DNS rebinding and content security policy.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from detector.settings import DashboardSettings

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Styles: BokehJS puts style elements into its shadow roots. Pictures: its icons are data.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
)
"""Of every answer."""


class AllowedHosts:
    """Names under which the page may be asked for.

    A foreign page whose own name was given this machine's address (DNS rebinding) is of the same origin to a browser;
    the name that it asks for is all that gives it away. An address as a name cannot be given away like that.

    Args:
        settings: Name more.
    """

    def __init__(self, settings: DashboardSettings) -> None:
        names = ("localhost", socket.gethostname(), socket.getfqdn(), settings.host, *settings.allowed_hosts)
        self._names = {name.lower().rstrip(".") for name in names}

    def allow(self, host: str) -> bool:
        """Whether a ``Host`` header names this page."""
        name = hostname(host)
        if name is None:
            return False
        return name in self._names or _is_address(name)


def hostname(host: str) -> str | None:
    """The name in a ``Host`` header, without port and brackets; None where it is no such header."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip(".")


def forgery(method: str, headers: Mapping[str, str]) -> str | None:
    """Why a request may come from a foreign page; None where it does not.

    Args:
        method: Of the request.
        headers: By name.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return "this was asked for by another page"
    if method in ("GET", "HEAD"):
        return None
    origin = headers.get("Origin")
    # Where the browser says nothing better. A proxy may ask under another name than the browser asked the proxy.
    if site is None and origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower():
        return "this was sent by another page, or through a proxy that does not pass on the Host header"
    # Foreign pages may send forms and plain text without asking, but no JSON.
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return "send JSON, with the Content-Type application/json"
    return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
