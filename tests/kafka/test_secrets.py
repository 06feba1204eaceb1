"""The real command with secrets of every kind, at its most talkative: they show nowhere.

Neither where a broker refuses the login, nor where a library fails with its configuration in the message, nor in what
a worker writes to its topics and serves.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACLOperation, KafkaAdminClient, NewTopic, ResourcePattern, ResourceType
from kafka.admin import ACLResourcePatternType as PatternType

from tests.end_to_end.conftest import Detector, bundle_dir, detector, records
from tests.kafka.conftest import ALICE, PLAIN_USERS, SecureBroker
from tests.kafka.rights import allow
from tests.kafka.test_security import unsigned_token

__all__ = ["bundle_dir", "detector"]

pytestmark = [pytest.mark.kafka, pytest.mark.keras]

HTTP_PASSWORD = "metrics-4711-secret"
KEY_PASSWORD = "key-0815-secret"


def document(broker: SecureBroker, listener: str, topic: str, model: Path, **kafka: Any) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": broker.broker.address(listener), "connect_timeout_seconds": 3, **kafka},
        "worker": {"group": f"{topic}.group", "instance": "one", "commit_interval_seconds": 0.05,
                   "auto_offset_reset": "earliest"},
        "topics": {"events": f"{topic}.events", "dead_letters": f"{topic}.dead-letters", "state": f"{topic}.state",
                   "epochs": f"{topic}.epochs"},
        "http": {"port": 0, "auth": {"username": "prometheus", "password": "${HTTP_PASSWORD}"}},
        "log": {"level": "debug", "format": "console"},
        "streams": [{"name": "pumps", "topic": topic, "model": str(model)}],
    }  # fmt: skip


def write(detector: Detector, content: dict[str, Any]) -> Path:
    detector.environment["HTTP_PASSWORD"] = HTTP_PASSWORD
    path = detector.folder / "detector.yaml"
    path.write_text(json.dumps(content))
    return path


def shown(result: subprocess.CompletedProcess[str]) -> str:
    return result.stdout + result.stderr


def encodings(secret: str) -> list[str]:
    """As it is, and as protocols and printing change it."""
    return [secret, base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()]


def assert_absent(text: str, *secrets: str) -> None:
    found = [form for secret in secrets for form in encodings(secret) if form in text]
    assert found == []


@pytest.mark.parametrize(
    ("given", "command"),
    [
        *(("by reference", "run"), ("by file", "run")),
        *((given, "config check") for given in ("in the file", "by reference", "by variable", "by file")),
    ],
)
def test_a_refused_password(
    secure: SecureBroker, detector: Detector, bundle_dir: Path, given: str, command: str
) -> None:
    wrong = "not-her-password-99"
    (detector.folder / "password").write_text(wrong)
    (detector.folder / "password").chmod(0o600)
    detector.environment["ALICES"] = wrong
    password: dict[str, str] = {
        "in the file": {"password": wrong},
        "by reference": {"password": "${ALICES}"},
        "by variable": {},
        "by file": {"password_file": str(detector.folder / "password")},
    }[given]
    if given == "by variable":
        detector.environment["RECONSTREAM_KAFKA__SASL__PASSWORD"] = wrong
    sasl = {"mechanism": ALICE.mechanism, "username": ALICE.name, **password}
    tls = {"ca_file": str(secure.ca_file)}
    config = write(
        detector, document(secure, "SECURE", "t", bundle_dir, security_protocol="SASL_SSL", sasl=sasl, tls=tls)
    )
    if command == "run":
        result = detector.run("run", "-c", config)
        assert result.returncode == 3, result.stderr
        assert "refuses the login" in result.stderr
    else:
        result = detector.run("config", "check", config)
        assert result.returncode == 0, result.stderr
    assert_absent(shown(result), wrong, HTTP_PASSWORD)


def test_a_refused_token(secure: SecureBroker, detector: Detector, bundle_dir: Path) -> None:
    token = unsigned_token("carol", lifetime_seconds=-3600)
    (detector.folder / "token").write_text(token)
    sasl = {"mechanism": "OAUTHBEARER", "token_file": str(detector.folder / "token")}
    config = write(detector, document(secure, "LOGIN", "t", bundle_dir, security_protocol="SASL_PLAINTEXT", sasl=sasl))
    result = detector.run("run", "-c", config)
    assert result.returncode == 3, result.stderr
    assert "refuses the login" in result.stderr
    assert_absent(shown(result), token, token.split(".")[1])


@pytest.mark.parametrize("password", [KEY_PASSWORD, "wrong-key-password"])
def test_the_password_of_a_key(secure: SecureBroker, detector: Detector, bundle_dir: Path, password: str) -> None:
    key = load_pem_private_key(secure.client_key.read_bytes(), None)
    file = detector.folder / "client.key"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY_PASSWORD.encode()))
    )
    file.chmod(0o600)
    tls = {
        "ca_file": str(secure.ca_file), "cert_file": str(secure.client_cert), "key_file": str(file),
        "key_password": password,
    }  # fmt: skip
    config = write(detector, document(secure, "MUTUAL", "t", bundle_dir, security_protocol="SSL", tls=tls))
    result = detector.run("run", "-c", config)
    # With the right one the broker lets it in, and misses a topic.
    right = password == KEY_PASSWORD
    assert result.returncode == (3 if right else 2), result.stderr
    assert ("key_password is wrong" in result.stderr) is not right
    assert_absent(shown(result), password)


@pytest.fixture
def of_bob(secure: SecureBroker, topic_name: str) -> Iterator[str]:
    """A topic of telemetry, and bob's right to all that a worker needs for it."""
    admin = KafkaAdminClient(bootstrap_servers=secure.broker.bootstrap)
    admin.create_topics([NewTopic(topic_name, 1, 1, topic_configs={"retention.ms": "-1"})])
    kinds = [
        (ResourceType.TOPIC, topic_name), (ResourceType.GROUP, topic_name), (ResourceType.TRANSACTIONAL_ID, topic_name),
    ]  # fmt: skip
    for kind, name in kinds:
        allow(admin, "bob", ResourcePattern(kind, name, PatternType.PREFIXED), ACLOperation.ALL)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=secure.broker.bootstrap)
    for timestamp, value in records("pump-1"):
        producer.send(topic_name, key=b"pump-1", value=value, timestamp_ms=timestamp)
    producer.close()
    return topic_name


def as_bob(secure: SecureBroker, topic: str, bundle_dir: Path) -> dict[str, Any]:
    sasl = {"mechanism": "PLAIN", "username": "bob", "password": "${BOBS}"}
    return document(secure, "LOGIN", topic, bundle_dir, security_protocol="SASL_PLAINTEXT", sasl=sasl)


def test_a_worker_that_runs(secure: SecureBroker, detector: Detector, bundle_dir: Path, of_bob: str) -> None:
    detector.environment["BOBS"] = PLAIN_USERS["bob"]
    process = detector.start("run", "-c", write(detector, as_bob(secure, of_bob, bundle_dir)))
    written = b""
    consumer = KafkaConsumer(bootstrap_servers=secure.broker.bootstrap, auto_offset_reset="earliest")
    topics = [f"{of_bob}.{name}" for name in ("epochs", "state", "events")]
    assert process.stderr is not None
    log = []
    for line in process.stderr:
        log.append(line)
        if "started" in line and "metrics=" in line:
            break
    url = re.search(r"http://[\w.:]+/metrics", log[-1])
    assert url is not None, log
    consumer.assign([TopicPartition(topic, 0) for topic in topics])
    seen: set[str] = set()
    while seen != set(topics):
        for partition, batch in consumer.poll(timeout_ms=1000).items():
            seen.add(partition.topic)
            written += b"".join((record.key or b"") + (record.value or b"") for record in batch)
    consumer.close()
    token = base64.b64encode(f"prometheus:{HTTP_PASSWORD}".encode()).decode()
    request = urllib.request.Request(url[0], headers={"Authorization": f"Basic {token}"})  # noqa: S310 - http, see above
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        served = answer.read().decode()
    assert "reconstream_records_consumed_total" in served
    process.send_signal(signal.SIGTERM)
    out, rest = process.communicate(timeout=120)
    everything = "".join(log) + rest + out + served + written.decode("utf-8", "replace")
    assert process.returncode == 0, everything
    assert "kafka" in everything
    assert_absent(everything, PLAIN_USERS["bob"], HTTP_PASSWORD, token)


def test_a_library_that_fails_with_its_configuration_in_the_message(
    secure: SecureBroker, detector: Detector, bundle_dir: Path, of_bob: str
) -> None:
    detector.environment["BOBS"] = PLAIN_USERS["bob"]
    (detector.folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name != 'detector.kafka.source': return None\n"
        "        import kafka\n"
        "        def fail(self, *topics, **configs):\n"
        "            raise RuntimeError('cannot use sasl_plain_password=' + str(configs['sasl_plain_password']))\n"
        "        kafka.KafkaConsumer.__init__ = fail\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    paths = [str(detector.folder), detector.environment.get("PYTHONPATH", "")]
    detector.environment["PYTHONPATH"] = ":".join(filter(None, paths))
    result = detector.run("run", "-c", write(detector, as_bob(secure, of_bob, bundle_dir)))
    assert result.returncode == 1, result.stderr
    assert "Traceback" in result.stderr
    assert "RuntimeError: cannot use" in result.stderr
    assert_absent(shown(result), PLAIN_USERS["bob"], HTTP_PASSWORD)
