"""TCP and TLS connections to a broker, with failures that say what is wrong and what to do."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable

from detector.errors import KafkaUnavailableError
from detector.kafka.client import tls_context, uses_tls
from detector.kafka.deadline import BoundedCaller
from detector.settings import KafkaSettings

Clock = Callable[[], float]
"""Monotonic seconds."""

# OpenSSL's names of verification results, X509_V_ERR_...
_EXPIRED = 10
_NOT_YET_VALID = 9
_HOSTNAME_MISMATCH = 62
_IP_MISMATCH = 64
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_CLIENT_CERTIFICATE_ALERTS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
    }
)


class ConnectError(KafkaUnavailableError):
    """A broker cannot be used.

    Attributes:
        may_pass: Whether trying again soon could help: the broker or its name is not there yet, as opposed to wrong
            settings.
        guess: A connection that was closed without a word is explained by what most often causes that. A broker or a
            proxy that is just going away does the same, so the explanation holds only once it happened again.
    """

    def __init__(self, message: str, *, may_pass: bool = False, guess: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.guess = guess


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def connect(address: str, deadline: float, clock: Clock) -> socket.socket:
    """TCP connection.

    Args:
        address: ``host:port``.
        deadline: In terms of ``clock``.
        clock: Monotonic seconds.

    Raises:
        ConnectError: the name is unknown, or nobody answers.
    """
    host, port = split_address(address)
    problem: OSError | None = None
    for family, kind, protocol, _, place in _resolve(host, port, address, deadline, clock):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(remaining(deadline, clock))
            connection.connect(place)
        except OSError as error:
            connection.close()
            problem = error
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    if isinstance(problem, ConnectionRefusedError):
        raise ConnectError(
            f"{address} refuses connections; check the address, and that the broker is running",
            may_pass=True,
        ) from problem
    if isinstance(problem, TimeoutError):
        raise ConnectError(f"{address} does not answer; check the address, the network and firewalls", may_pass=True)
    raise ConnectError(
        f"{address} cannot be reached ({problem.strerror if problem else 'no address'}); "
        "check the address and the network",
        may_pass=True,
    ) from problem


def _resolve(
    host: str, port: int, address: str, deadline: float, clock: Clock
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]]:
    # The system's resolver knows no deadline of ours.
    resolver = BoundedCaller("resolve")
    try:
        return resolver(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),  # type: ignore[arg-type,return-value]
            remaining(deadline, clock),
        )
    except socket.gaierror as error:
        raise ConnectError(
            f"the host name {host!r} of {address} cannot be resolved ({error.strerror}); "
            "check its spelling and the name service",
            may_pass=True,
        ) from error
    except TimeoutError as error:
        raise ConnectError(
            f"the name service does not answer for {host!r} of {address}; check the name service", may_pass=True
        ) from error
    finally:
        resolver.close()


def secure(connection: socket.socket, address: str, settings: KafkaSettings) -> socket.socket:
    """The connection, with TLS where the settings say so.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        ConnectError: the handshake failed; the connection is closed.
    """
    if not uses_tls(settings):
        return connection
    host, _ = split_address(address)
    try:
        return tls_context(settings.tls).wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise ConnectError(_verification_problem(address, host, settings, error)) from error
    except ssl.SSLError as error:
        raise tls_error(address, settings, error) from error
    except TimeoutError as error:
        raise ConnectError(
            f"{address} does not answer the TLS handshake; is it a listener for {settings.security_protocol}?",
            may_pass=True,
        ) from error
    except OSError as error:
        raise ConnectError(_not_tls(address, settings)) from error
    finally:
        # wrap_socket took the descriptor over if it succeeded; closing is harmless then.
        connection.close()


def tls_error(address: str, settings: KafkaSettings, error: ssl.SSLError) -> ConnectError:
    """What a TLS failure means.

    With TLS 1.3 a broker complains about the client's certificate only after the handshake.
    """
    reason = error.reason or ""
    if isinstance(error, ssl.SSLEOFError) or reason in _NOT_TLS:
        return ConnectError(_not_tls(address, settings))
    if reason in _CLIENT_CERTIFICATE_ALERTS:
        if settings.tls.cert_file is None:
            return ConnectError(
                f"{address} demands a client certificate ({reason}); set kafka.tls.cert_file and kafka.tls.key_file"
            )
        return ConnectError(
            f"{address} does not accept the client certificate in {settings.tls.cert_file} ({reason}); "
            "use one that an authority trusted by the broker has issued"
        )
    return ConnectError(f"the TLS handshake with {address} failed ({reason or error}); check the section kafka.tls")


def remaining(deadline: float, clock: Clock) -> float:
    """Seconds until the deadline; at least a moment, since zero would mean a non-blocking socket."""
    return max(deadline - clock(), 0.01)


def close_quietly(connection: socket.socket) -> None:
    """Close a connection whose other end may be gone."""
    with contextlib.suppress(OSError):
        connection.close()


def _not_tls(address: str, settings: KafkaSettings) -> str:
    plain = "PLAINTEXT" if settings.security_protocol == "SSL" else "SASL_PLAINTEXT"
    return (
        f"{address} does not speak TLS; it looks like a plaintext listener: "
        f"use the port of the TLS listener, or set kafka.security_protocol to {plain}"
    )


def _verification_problem(address: str, host: str, settings: KafkaSettings, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {_HOSTNAME_MISMATCH, _IP_MISMATCH}:
        return (
            f"the TLS certificate of {address} is not for {host!r} (hostname mismatch); use a host name that the "
            "certificate names, or set kafka.tls.check_hostname to false"
        )
    if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        return (
            f"the TLS certificate of {address} is not valid now ({error.verify_message}); renew it, or check the clock"
        )
    authorities = "the system's authorities" if settings.tls.ca_file is None else str(settings.tls.ca_file)
    return (
        f"the TLS certificate of {address} is not trusted by {authorities} ({error.verify_message}); "
        "set kafka.tls.ca_file to the PEM file of the authority that issued it"
    )
