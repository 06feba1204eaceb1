"""From `KafkaSettings` to kafka-python's keyword arguments, with the defaults that it gets wrong set right."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from detector.errors import ConfigError, KafkaUnavailableError
from detector.secret_files import file_problem, key_pair, read_secret
from detector.settings import KafkaSettings, SaslSettings, TlsSettings

MAX_RECORD_BYTES = 10 * 1024 * 1024
"""Largest record that is written: a snapshot of a series, or a dead letter."""

MAX_BATCH_BYTES = MAX_RECORD_BYTES + 64 * 1024
"""Largest record together with what its batch adds; topics that we write must accept it."""

_FETCH_BYTES_PER_PARTITION = 8 * 1024 * 1024
_METADATA_MAX_AGE_MS = 60_000
_RECONNECT_BACKOFF_MAX_MS = 2_000
# These print whole requests at DEBUG, and a SASL request holds the password or the token.
_WIRE_LOGGERS = ("kafka.net.connection", "kafka.protocol.parser")


class Secret(str):
    """Text that does not show itself: kafka-python logs its configuration."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


class TokenFile(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """OAUTHBEARER token from a file that somebody keeps fresh; read at each authentication."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def token(self) -> str:
        """The current token.

        Raises:
            ConfigError: the file cannot be read or is empty.
        """
        return read_secret(self._path, "kafka.sasl.token_file")


def consumer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments of a `KafkaConsumer`; group, isolation level and offset reset are the caller's to add.

    Raises:
        ConfigError: a file that the settings name cannot be used.
    """
    return {
        **client_config(settings),
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "max_partition_fetch_bytes": _FETCH_BYTES_PER_PARTITION,
    }


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments of a `KafkaProducer`: idempotent, all acknowledgements, records of up to `MAX_RECORD_BYTES`.

    Raises:
        ConfigError: a file that the settings name cannot be used.
    """
    return {
        **client_config(settings),
        "allow_auto_create_topics": False,
        "enable_idempotence": True,
        "acks": "all",
        "max_request_size": MAX_BATCH_BYTES,
    }


def admin_config(settings: KafkaSettings) -> dict[str, Any]:
    """Arguments of a `KafkaAdminClient`.

    Raises:
        ConfigError: a file that the settings name cannot be used.
    """
    timeout_ms = int(settings.connect_timeout_seconds * 1000)
    return {**client_config(settings), "request_timeout_ms": max(timeout_ms, 5_000)}


@contextmanager
def open_admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        KafkaUnavailableError: the cluster cannot be reached; `preflight.check_cluster` says why.
    """
    config = admin_config(settings)
    try:
        admin = KafkaAdminClient(**config)
    except KafkaError as error:
        servers = ", ".join(settings.bootstrap_servers)
        raise KafkaUnavailableError(f"cannot use the Kafka cluster at {servers}: {error}") from error
    try:
        yield admin
    finally:
        admin.close()


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """What consumers, producers and admin clients have in common: addresses, TLS, SASL.

    Raises:
        ConfigError: a file that the settings name cannot be used.
    """
    for name in _WIRE_LOGGERS:
        logging.getLogger(name).addFilter(_above_debug)
    found: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "security_protocol": settings.security_protocol,
        "bootstrap_timeout_ms": int(settings.connect_timeout_seconds * 1000),
        "metadata_max_age_ms": _METADATA_MAX_AGE_MS,
        # A broker that comes back is found at once, not after the default's half a minute.
        "reconnect_backoff_max_ms": _RECONNECT_BACKOFF_MAX_MS,
    }
    if uses_tls(settings):
        found["ssl_context"] = tls_context(settings.tls)
    if settings.sasl is not None:
        found.update(_sasl_config(settings.sasl))
    return found


def uses_tls(settings: KafkaSettings) -> bool:
    """Whether connections are encrypted."""
    return settings.security_protocol in {"SSL", "SASL_SSL"}


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, verifying the broker against ``ca_file`` or the system's authorities.

    Raises:
        ConfigError: a file cannot be read, is no PEM file, or the key does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(tls.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"kafka.tls.ca_file: {file_problem(tls.ca_file, error)}") from error
    if tls.cert_file is not None and tls.key_file is not None:
        key_pair(context, tls.cert_file, tls.key_file, tls.key_password, "kafka.tls")
    return context


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _sasl_config(sasl: SaslSettings) -> dict[str, Any]:
    found: dict[str, Any] = {"sasl_mechanism": sasl.mechanism}
    if sasl.token_file is not None:
        provider = TokenFile(sasl.token_file)
        # Now, where the message reaches the user, rather than on the client's thread.
        provider.token()
        found["sasl_oauth_token_provider"] = provider
        return found
    found["sasl_plain_username"] = sasl.username
    if sasl.password_file is not None:
        found["sasl_plain_password"] = Secret(read_secret(sasl.password_file, "kafka.sasl.password_file"))
    elif sasl.password is not None:
        found["sasl_plain_password"] = Secret(sasl.password.get_secret_value())
    return found
