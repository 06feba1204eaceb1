"""A broker with every kind of listener, an authorizer, and the certificates to go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from detector.broker import Listener, LocalBroker, Scram
from detector.settings import KafkaSettings

ALICE = Scram("alice", "wonderland, 7")
"""May do what a test grants her; nothing at first."""

PLAIN_USERS = {"bob": "builder"}
PATIENCE_SECONDS = 20
"""A busy machine may take seconds for a handshake; tests of a refusal that comes with time set less."""


@dataclass(frozen=True)
class SecureBroker:
    """What clients of the secured broker need to know."""

    broker: LocalBroker
    ca_file: Path
    other_ca_file: Path
    client_cert: Path
    client_key: Path
    foreign_cert: Path
    foreign_key: Path

    def settings(self, listener: str, **kafka: Any) -> KafkaSettings:
        address = self.broker.address(listener)
        return KafkaSettings.model_validate(
            {"bootstrap_servers": address, "connect_timeout_seconds": PATIENCE_SECONDS, **kafka}
        )

    def alice(self, **kafka: Any) -> KafkaSettings:
        """SCRAM over TLS, as it should be."""
        sasl = {"mechanism": ALICE.mechanism, "username": ALICE.name, "password": ALICE.password}
        complete = {"security_protocol": "SASL_SSL", "tls": {"ca_file": self.ca_file}, "sasl": sasl}
        return self.settings("SECURE", **{**complete, **kafka})


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    folder = tmp_path_factory.mktemp("secure")
    authority, other_authority = trustme.CA(), trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    unnamed = authority.issue_cert("kafka.example")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other_authority.cert_pem.write_to_path(folder / "other-ca.pem")
    for name, issuer in (("client", authority), ("foreign", other_authority)):
        pair = issuer.issue_cert(f"{name}@example.org")
        pair.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        pair.private_key_pem.write_to_path(folder / f"{name}.key")
    listeners = [
        Listener("SECURE", "SASL_SSL", ("SCRAM-SHA-512",), **_identity(server)),
        Listener("LOGIN", "SASL_PLAINTEXT", ("PLAIN",), plain_users=PLAIN_USERS),
        Listener("MUTUAL", "SSL", client_ca=_text(authority.cert_pem), **_identity(server)),
        Listener("UNNAMED", "SSL", **_identity(unnamed)),
    ]
    rights = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The broker itself, and the tests' own admin client, come without a login.
        "super.users": "User:ANONYMOUS",
        # Without further settings Kafka takes unsigned tokens, for development.
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER",
        "listener.name.login.oauthbearer.sasl.jaas.config": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
        ),
    }
    with LocalBroker(folder / "data", listeners=listeners, users=[ALICE], server_properties=rights) as broker:
        yield SecureBroker(
            broker,
            folder / "ca.pem",
            folder / "other-ca.pem",
            folder / "client.pem",
            folder / "client.key",
            folder / "foreign.pem",
            folder / "foreign.key",
        )


def _text(blob: trustme.Blob) -> str:
    return blob.bytes().decode()


def _identity(pair: trustme.LeafCert) -> dict[str, str]:
    # Java reads PKCS #8 only.
    key = load_pem_private_key(pair.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"certificate_chain": "".join(map(_text, pair.cert_chain_pems)), "private_key": pkcs8}


@pytest.fixture
def plaintext(broker: LocalBroker) -> Callable[..., KafkaSettings]:
    """Settings for the shared broker."""

    def make(**kafka: Any) -> KafkaSettings:
        return KafkaSettings.model_validate(
            {"bootstrap_servers": broker.bootstrap, "connect_timeout_seconds": PATIENCE_SECONDS, **kafka}
        )

    return make
