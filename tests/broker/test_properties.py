"""What the broker is configured with."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from detector.broker import Listener, Scram
from detector.broker.properties import log4j_properties, render, server_properties


def test_listeners_on_the_loopback_interface_only() -> None:
    secure = Listener("SECURE", "SASL_SSL", ("SCRAM-SHA-512",), certificate_chain="CERT\n", private_key="KEY\n")
    found = server_properties(Path("/data"), 9092, 9093, [(secure, 9094)], {})
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,SECURE://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093"
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092,SECURE://127.0.0.1:9094"
    assert found["listener.security.protocol.map"] == "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL"
    assert {key: value for key, value in found.items() if key.startswith("listener.name.secure.")} == {
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.certificate.chain": "CERT\n",
        "listener.name.secure.ssl.keystore.key": "KEY\n",
        "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }


def test_own_properties_override() -> None:
    found = server_properties(Path("/data"), 1, 2, [], {"num.io.threads": "9", "log.retention.ms": "1000"})
    assert (found["num.io.threads"], found["log.retention.ms"]) == ("9", "1000")


def test_a_single_broker_needs_no_copies() -> None:
    found = server_properties(Path("/data"), 1, 2, [], {})
    assert found["offsets.topic.replication.factor"] == found["transaction.state.log.replication.factor"] == "1"
    assert found["transaction.state.log.min.isr"] == "1"
    assert found["auto.create.topics.enable"] == "false"


def test_rendering_escapes_what_java_would_misread() -> None:
    text = render({"a b": "c:\\d\nsecond line", "é": " \U0001f600"})
    assert text == "a\\ b=c:\\\\d\\nsecond line\n\\u00e9=\\ \\ud83d\\ude00\n"


def test_log_path_is_not_a_lookup() -> None:
    text = log4j_properties(Path("/tmp/${env:HOME}/ü"))
    assert "appender.file.fileName = /tmp/$${env:HOME}/\\u00fc\n" in text


@pytest.mark.parametrize(("mechanism", "algorithm"), [("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-512", "sha512")])
def test_scram_user_is_written_without_the_password(mechanism: str, algorithm: str) -> None:
    user = Scram("alice", "secret", mechanism)  # type: ignore[arg-type]
    argument = user.format_argument()
    match = re.fullmatch(
        re.escape(mechanism) + r'=\[name=alice,iterations=4096,salt="([^"]+)",saltedpassword="([^"]+)"\]', argument
    )
    assert match is not None
    salt, salted = map(base64.b64decode, match.groups())
    assert salted == hashlib.pbkdf2_hmac(algorithm, b"secret", salt, 4096)
    assert user.format_argument() != argument


def test_secrets_do_not_show() -> None:
    listener = Listener("L", "SASL_SSL", ("PLAIN",), plain_users={"bob": "builder"}, private_key="KEY")
    shown = repr([Scram("alice", "wonderland"), listener])
    assert "alice" in shown
    assert not {"wonderland", "builder", "KEY"} & set(re.findall(r"\w+", shown))
