"""What is served over HTTP, and to whom: the endpoints and the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from detector.settings.values import Seconds, Section


class HttpTlsSettings(Section):
    """Encrypts what is served; where ``client_ca_file`` is given, clients must show a certificate (mutual TLS)."""

    cert_file: Path
    """PEM file of the server's certificate, with those between it and its authority; a renewed one is taken up."""
    key_file: Path
    """PEM file of its private key."""
    key_password: SecretStr | None = None
    """Of the private key, where it is encrypted."""
    client_ca_file: Path | None = None
    """PEM file of the authorities whose certificates let a client in, probes too; without it, none is asked for."""


class HttpAuthSettings(Section):
    """A name and password (HTTP basic authentication) that all but the probes asks for; use it with section tls."""

    username: Annotated[str, Field(min_length=1, pattern="^[^:]*$")]
    """What clients log in as; without a colon."""
    password: SecretStr | None = None
    """Better not written here: use ``${VARIABLE}``, the environment or password_file."""
    password_file: Path | None = None
    """A file that holds the password, read at start; instead of password."""
    open_probes: bool = True
    """Orchestrators send no password: /healthz and /readyz answer without one, but then say only whether, not why."""

    @model_validator(mode="after")
    def _one_password(self) -> HttpAuthSettings:
        if (self.password is None) == (self.password_file is None):
            have = "neither" if self.password is None else "both"
            raise ValueError(f"needs exactly one of password and password_file; it has {have}")
        if self.password is not None and not self.password.get_secret_value():
            raise ValueError("password is empty; set one, or remove the section")
        return self


class HttpSettings(Section):
    """The endpoints /metrics, /healthz and /readyz."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all, as a container needs."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """0 takes a free port and logs it."""
    stalled_after_seconds: Seconds = 60.0
    """/healthz fails when the loop made no progress for this long."""
    tls: HttpTlsSettings | None = None
    """Encrypts the endpoints."""
    auth: HttpAuthSettings | None = None
    """A name and password for the endpoints."""


class DashboardSettings(Section):
    """The web page of ``detector dashboard``; the worker makes no use of it."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all, as a container needs."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9465
    """0 takes a free port and logs it."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which browsers may reach the page, besides addresses, localhost and the name of this machine; others
    are refused, so that no foreign page can read it by giving its own name this address (DNS rebinding)."""
    read_only: bool = False
    """Whether nobody may acknowledge incidents or give verdicts from the page."""
    max_incidents: Annotated[int, Field(ge=10)] = 10_000
    """Most incidents in memory; beyond them those that closed longest ago are left out, and the page says so."""
    look_back_seconds: Seconds = 86_400.0 * 30
    """Events that were written longer ago, at the start, are left out."""
    tls: HttpTlsSettings | None = None
    """Encrypts the page."""
    auth: HttpAuthSettings | None = None
    """A name and password for the page."""
