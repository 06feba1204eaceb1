"""Where the cluster is, and who the client is to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from detector.settings.values import Seconds, Section


class SaslSettings(Section):
    """How the client proves who it is."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
    """What the brokers ask for."""
    username: str | None = None
    """PLAIN and SCRAM."""
    password: SecretStr | None = None
    """PLAIN and SCRAM; better not written here: use ``${VARIABLE}``, the environment or password_file."""
    password_file: Path | None = None
    """A file that holds the password, for secrets mounted by an orchestrator; instead of password."""
    token_file: Path | None = None
    """OAUTHBEARER: a file that holds the current token; read again at each authentication."""

    @model_validator(mode="after")
    def _complete(self) -> SaslSettings:
        if self.mechanism == "OAUTHBEARER":
            if self.token_file is None:
                raise ValueError("OAUTHBEARER needs token_file; name a file that holds the token")
            return self
        if self.username is None:
            raise ValueError(f"{self.mechanism} needs username; add it")
        if (self.password is None) == (self.password_file is None):
            have = "neither" if self.password is None else "both"
            raise ValueError(f"{self.mechanism} needs exactly one of password and password_file; it has {have}")
        return self


class TlsSettings(Section):
    """How the connection is protected; mutual TLS when ``cert_file`` is given."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust; without it, those of the system."""
    cert_file: Path | None = None
    """PEM file of the client's certificate, for mutual TLS; together with key_file."""
    key_file: Path | None = None
    """PEM file of the client's private key."""
    key_password: SecretStr | None = None
    """Of the private key, where it is encrypted."""
    check_hostname: bool = True
    """Whether the brokers' certificates must name the hosts that were asked for."""

    @model_validator(mode="after")
    def _pair(self) -> TlsSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("mutual TLS needs both cert_file and key_file; add the one that is missing")
        return self


class KafkaSettings(Section):
    """Where the cluster is and how to speak to it."""

    bootstrap_servers: tuple[str, ...] = ("localhost:9092",)
    """Some of the brokers, each as host:port; the client learns of the others from them."""
    client_id: Annotated[str, Field(min_length=1)] = "reconstream"
    """Name under which the brokers' logs and quotas show this client."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """SSL: encrypted (section tls). SASL_SSL: with a login as well (section sasl). SASL_PLAINTEXT: login only."""
    sasl: SaslSettings | None = None
    """The login, with security_protocol SASL_SSL or SASL_PLAINTEXT."""
    tls: TlsSettings = TlsSettings()
    """Certificates, with security_protocol SSL or SASL_SSL."""
    connect_timeout_seconds: Seconds = 10.0
    """How long to look for the cluster at start before saying what is wrong."""

    @field_validator("bootstrap_servers", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            host, colon, port = address.rpartition(":")
            if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
                raise ValueError(f"{address!r} is not an address; write host:port")
        if not value:
            raise ValueError("name at least one host:port")
        return value

    @model_validator(mode="after")
    def _sasl_when_needed(self) -> KafkaSettings:
        wants = self.security_protocol.startswith("SASL")
        if wants and self.sasl is None:
            raise ValueError(
                f"security_protocol {self.security_protocol} needs a sasl section; add mechanism and login"
            )
        if not wants and self.sasl is not None:
            raise ValueError(
                f"the sasl section has no effect with security_protocol {self.security_protocol}; "
                "set security_protocol to SASL_SSL, or remove the section"
            )
        return self
