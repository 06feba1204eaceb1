"""Configuration files of the local broker: one node, small, quick to start, on the loopback interface only."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

HOST = "127.0.0.1"
NODE_ID = 1
_SCRAM_ITERATIONS = 4096
_MIN_CLEANER_BUFFER_BYTES = 8 * 1024 * 1024

Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]

_LOG4J = """\
status = error
shutdownHook = disable
name = broker
appender.file.type = RollingRandomAccessFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.immediateFlush = true
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d] %p %m (%c)%n%throwable
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


@dataclass(frozen=True, slots=True)
class Scram:
    """A user whose SCRAM credentials are written when the storage is formatted.

    Attributes:
        mechanism: With which the user logs in.
    """

    name: str
    password: str = field(repr=False)
    mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"

    def format_argument(self) -> str:
        """For ``--add-scram``: salt and salted password (RFC 5802), so that no list of processes shows the password."""
        salt = os.urandom(18)
        algorithm = self.mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        salted = hashlib.pbkdf2_hmac(algorithm, self.password.encode(), salt, _SCRAM_ITERATIONS)
        encoded = {"salt": base64.b64encode(salt).decode(), "saltedpassword": base64.b64encode(salted).decode()}
        return (
            f"{self.mechanism}=[name={self.name},iterations={_SCRAM_ITERATIONS},"
            f'salt="{encoded["salt"]}",saltedpassword="{encoded["saltedpassword"]}"]'
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """A further address of the broker, beside the plaintext one that it always has.

    Attributes:
        name: Upper-case, such as ``SECURE``; `LocalBroker.address` takes it.
        protocol: What clients speak there.
        mechanisms: SASL mechanisms on offer (SASL protocols only).
        plain_users: Names and passwords for the mechanism PLAIN.
        certificate_chain: PEM text of the broker's certificate and its issuers (TLS protocols only).
        private_key: PEM text of the broker's key, PKCS #8, unencrypted.
        client_ca: PEM text of the authorities whose client certificates are demanded (mutual TLS).
    """

    name: str
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    mechanisms: tuple[Mechanism, ...] = ()
    plain_users: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    certificate_chain: str | None = None
    private_key: str | None = field(default=None, repr=False)
    client_ca: str | None = None

    def properties(self) -> dict[str, str]:
        """What the server needs to know about this listener."""
        prefix = f"listener.name.{self.name.lower()}."
        found: dict[str, str] = {}
        if self.certificate_chain is not None and self.private_key is not None:
            found[prefix + "ssl.keystore.type"] = "PEM"
            found[prefix + "ssl.keystore.certificate.chain"] = self.certificate_chain
            found[prefix + "ssl.keystore.key"] = self.private_key
        if self.client_ca is not None:
            found[prefix + "ssl.client.auth"] = "required"
            found[prefix + "ssl.truststore.type"] = "PEM"
            found[prefix + "ssl.truststore.certificates"] = self.client_ca
        if self.mechanisms:
            found[prefix + "sasl.enabled.mechanisms"] = ",".join(self.mechanisms)
        for mechanism in self.mechanisms:
            if mechanism == "PLAIN":
                users = "".join(f' user_{name}="{password}"' for name, password in self.plain_users.items())
                login = f"org.apache.kafka.common.security.plain.PlainLoginModule required{users};"
            else:
                login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            found[f"{prefix}{mechanism.lower()}.sasl.jaas.config"] = login
        return found


def server_properties(
    log_dir: Path, port: int, controller_port: int, listeners: Sequence[tuple[Listener, int]], extra: Mapping[str, str]
) -> dict[str, str]:
    """Settings of a combined broker and controller.

    Args:
        log_dir: Where Kafka keeps its partitions.
        port: Of the plaintext listener, which the broker itself uses too.
        controller_port: Of the controller.
        listeners: Further listeners, each with its port.
        extra: Overrides, by property name.
    """
    own = [Listener("PLAINTEXT", "PLAINTEXT"), *(listener for listener, _ in listeners)]
    addresses = [
        f"PLAINTEXT://{HOST}:{port}",
        *(f"{listener.name}://{HOST}:{number}" for listener, number in listeners),
    ]
    found = {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "listeners": ",".join([*addresses, f"CONTROLLER://{HOST}:{controller_port}"]),
        "advertised.listeners": ",".join(addresses),
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{listener.name}:{listener.protocol}" for listener in own)]
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
        "log.dirs": str(log_dir),
        # A topic that nobody created is an error to be told, not one to be covered up.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # Tests of failing members need not wait for the usual minimum of six seconds.
        "group.min.session.timeout.ms": "1000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        "log.cleaner.dedupe.buffer.size": str(_MIN_CLEANER_BUFFER_BYTES),
    }
    for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        found[f"{topic}.num.partitions"] = "1"
        found[f"{topic}.replication.factor"] = "1"
    for topic in ("transaction.state.log", "share.coordinator.state.topic"):
        found[f"{topic}.min.isr"] = "1"
    for listener, _ in listeners:
        found.update(listener.properties())
    found.update(extra)
    return found


def render(properties: Mapping[str, str]) -> str:
    """Text of a Java properties file."""
    return "".join(f"{_escape(key, key=True)}={_escape(value, key=False)}\n" for key, value in properties.items())


def log4j_properties(log: Path) -> str:
    """Text of the logging configuration: everything to one file, rolled at 10 MB."""
    # Log4j replaces ${...} itself, on top of what the properties format escapes.
    return _LOG4J.format(log=_escape(str(log).replace("$", "$$"), key=False))


def _escape(text: str, *, key: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    if key:
        escaped = escaped.replace(" ", "\\ ").replace("=", "\\=").replace(":", "\\:")
    elif escaped.startswith(" "):
        escaped = "\\" + escaped
    return "".join(c if c.isascii() else "".join(f"\\u{unit:04x}" for unit in _utf16(c)) for c in escaped)


def _utf16(character: str) -> list[int]:
    data = character.encode("utf-16-be")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
