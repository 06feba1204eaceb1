"""One blocking connection to one broker, for finding out what is wrong with it.

kafka-python's clients try again in the background until they give up with "Unable to bootstrap", whatever the reason.
This takes the same steps once, one after the other, so that each failure has its own message: TCP, TLS, ApiVersions,
SASL. The protocol's messages and SASL mechanisms are kafka-python's.
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any

import kafka.errors as kafka_errors
from kafka.errors import KafkaError
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from detector.kafka.client import client_config, uses_tls
from detector.kafka.sockets import Clock, ConnectError, close_quietly, connect, remaining, secure, tls_error
from detector.settings import KafkaSettings

_MAX_FRAME_BYTES = 100_000_000
_READ_BYTES = 65_536
_TLS_RECORD_TYPES = frozenset(range(20, 24))


class _GoneError(Exception):
    """The broker closed the connection instead of answering."""


class _SilentError(Exception):
    """The broker did not answer in time."""


class _GibberishError(Exception):
    """What came is not Kafka's protocol."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data[:16])
        self.looks_like_tls = len(data) > 1 and data[0] in _TLS_RECORD_TYPES and data[1] == 3


class BrokerConnection:
    """A connection that is ready for requests: encrypted and authenticated as the settings say. A context manager.

    Args:
        settings: How to connect.
        address: ``host:port`` of the broker.
        deadline: For everything on this connection, in terms of ``clock``.
        clock: Monotonic seconds.

    Raises:
        ConfigError: a file that the settings name cannot be used.
        ConnectError: the broker cannot be used; the message says why.
    """

    def __init__(self, settings: KafkaSettings, address: str, deadline: float, clock: Clock) -> None:
        self.address = address
        self._settings = settings
        self._deadline = deadline
        self._clock = clock
        self._config = client_config(settings)
        self._socket = secure(connect(address, deadline, clock), address, settings)
        self._protocol = KafkaProtocol(client_id=settings.client_id, receive_message_max_bytes=_MAX_FRAME_BYTES)
        try:
            self._versions = self._say_hello()
            if settings.sasl is not None:
                self._log_in(settings.sasl.mechanism)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> BrokerConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        close_quietly(self._socket)

    def call(self, request: Any) -> Any:
        """Response of the broker to a request of `kafka.protocol`.

        Raises:
            ConnectError: there was none.
        """
        try:
            return self._call(request)
        except _GoneError as error:
            if self._settings.sasl is None:
                prefix = "SASL_SSL" if uses_tls(self._settings) else "SASL_PLAINTEXT"
                raise ConnectError(
                    f"{self.address} closed the connection at the first request; it seems to demand a login: set "
                    f"kafka.security_protocol to {prefix} and add a section kafka.sasl",
                    guess=True,
                ) from error
            raise ConnectError(f"{self.address} closed the connection", may_pass=True) from error
        except _SilentError as error:
            raise self._silent() from error
        except _GibberishError as error:
            raise self._no_broker() from error

    def _say_hello(self) -> BrokerVersionData:
        try:
            # Version 0 is the one that every broker since 0.10 answers.
            response = self._exchange(ApiVersionsRequest(version=0))
        except _SilentError as error:
            raise self._silent() from error
        except (_GoneError, _GibberishError) as error:
            speaks_tls = isinstance(error, _GibberishError) and error.looks_like_tls
            if uses_tls(self._settings) or (isinstance(error, _GibberishError) and not speaks_tls):
                raise self._no_broker() from error
            tls = "SSL" if self._settings.security_protocol == "PLAINTEXT" else "SASL_SSL"
            verb = "answers in TLS" if speaks_tls else "closed the plaintext connection; it looks like a TLS listener"
            raise ConnectError(
                f"{self.address} {verb}; set kafka.security_protocol to {tls}, or use the port of the plaintext one",
                guess=not speaks_tls,
            ) from error
        return BrokerVersionData(
            api_versions={key.api_key: (key.min_version, key.max_version) for key in response.api_keys}
        )

    def _log_in(self, mechanism: str) -> None:
        try:
            self._negotiate(mechanism)
            self._authenticate(mechanism)
        except _GoneError as error:
            raise ConnectError(
                f"{self.address} closed the connection during the login; {self._login_advice()}"
            ) from error
        except _SilentError as error:
            raise self._silent() from error
        except _GibberishError as error:
            raise self._no_broker() from error

    def _negotiate(self, mechanism: str) -> None:
        response = self._call(SaslHandshakeRequest(mechanism=mechanism, max_version=1))
        error = kafka_errors.for_code(response.error_code)
        if error is kafka_errors.NoError:
            return
        if error is kafka_errors.UnsupportedSaslMechanismError:
            raise ConnectError(
                f"{self.address} does not offer the SASL mechanism {mechanism}; set kafka.sasl.mechanism to one "
                f"that it offers: {', '.join(sorted(response.mechanisms))}"
            )
        if error is kafka_errors.IllegalSaslStateError:
            without = "SSL" if uses_tls(self._settings) else "PLAINTEXT"
            raise ConnectError(
                f"{self.address} is a listener without a login; set kafka.security_protocol to {without} and remove "
                "the section kafka.sasl, or use the port of the SASL listener"
            )
        raise ConnectError(f"{self.address} refuses a SASL login ({error.__name__})")

    def _authenticate(self, name: str) -> None:
        mechanism = get_sasl_mechanism(name)(host=self.address.rpartition(":")[0], **self._config)
        while not mechanism.is_done():
            response = self._call(SaslAuthenticateRequest(mechanism.auth_bytes()))
            error = kafka_errors.for_code(response.error_code)
            if error is not kafka_errors.NoError:
                said = response.error_message or error.__name__
                raise ConnectError(f"{self.address} refuses the login ({said}); {self._login_advice()}")
            try:
                mechanism.receive(response.auth_bytes)
            except (ValueError, KeyError) as problem:
                # The broker proves in turn that it knows the password (RFC 5802).
                raise ConnectError(
                    f"{self.address} could not prove who it is ({problem}); is it the right broker?"
                ) from problem
        if not mechanism.is_authenticated():
            raise ConnectError(f"{self.address} refuses the login; {self._login_advice()}")

    def _login_advice(self) -> str:
        sasl = self._settings.sasl
        if sasl is None or sasl.token_file is not None:
            return "check that the token in kafka.sasl.token_file is fresh and meant for this cluster"
        return (
            f"check name and password of {sasl.username!r} in kafka.sasl, and that the user exists for {sasl.mechanism}"
        )

    def _call(self, request: Any) -> Any:
        try:
            request.API_VERSION = self._versions.api_version(request)
        except KafkaError as error:
            raise ConnectError(
                f"{self.address} does not offer what a client needs; it may be a controller, or too old a broker "
                f"({error})"
            ) from error
        return self._exchange(request)

    def _exchange(self, request: Any) -> Any:
        self._protocol.send_request(request)
        received = b""
        try:
            self._socket.settimeout(remaining(self._deadline, self._clock))
            self._socket.sendall(self._protocol.send_bytes())
            while True:
                self._socket.settimeout(remaining(self._deadline, self._clock))
                data = self._socket.recv(_READ_BYTES)
                if not data:
                    raise _GoneError
                received = received or data
                responses = self._protocol.receive_bytes(data)
                if responses:
                    return responses[0][1]
        except TimeoutError as error:
            raise _SilentError from error
        except ssl.SSLEOFError as error:
            raise _GoneError from error
        except ssl.SSLError as error:
            raise tls_error(self.address, self._settings, error) from error
        except OSError as error:
            raise _GoneError from error
        except KafkaError as error:
            raise _GibberishError(received) from error

    def _silent(self) -> ConnectError:
        return ConnectError(
            f"{self.address} accepts connections but does not answer; the broker is overloaded or frozen, or the port "
            f"is none of a {self._settings.security_protocol} listener",
            may_pass=True,
        )

    def _no_broker(self) -> ConnectError:
        return ConnectError(f"what listens at {self.address} does not speak Kafka's protocol; check host and port")
