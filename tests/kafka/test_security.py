"""Security settings reach the client, and secrets go nowhere else."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACLOperation,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)

from detector.errors import ConfigError, KafkaUnavailableError
from detector.kafka.client import MAX_BATCH_BYTES, admin_config, client_config, consumer_config, producer_config
from detector.kafka.preflight import check_cluster
from detector.settings import KafkaSettings
from tests.kafka.rights import allow

PASSWORD = "correct horse battery"


def settings(**kafka: Any) -> KafkaSettings:
    return KafkaSettings.model_validate(kafka)


def with_login(protocol: str = "SASL_PLAINTEXT", **sasl: Any) -> KafkaSettings:
    return settings(security_protocol=protocol, sasl={"mechanism": "PLAIN", "username": "bob", **sasl})


def unsigned_token(subject: str, lifetime_seconds: int = 300) -> str:
    now = int(time.time())
    parts = [{"alg": "none"}, {"sub": subject, "iat": now, "exp": now + lifetime_seconds}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, ""])


class TestConfig:
    def test_plaintext(self) -> None:
        found = client_config(settings(bootstrap_servers="a:1,b:2", client_id="pumps", connect_timeout_seconds=7))
        assert found == {
            "bootstrap_servers": ["a:1", "b:2"],
            "client_id": "pumps",
            "security_protocol": "PLAINTEXT",
            "bootstrap_timeout_ms": 7000,
            "metadata_max_age_ms": 60000,
            "reconnect_backoff_max_ms": 2000,
        }

    def test_consumer_never_commits_by_itself(self) -> None:
        found = consumer_config(settings())
        assert found["enable_auto_commit"] is False
        assert found["allow_auto_create_topics"] is False

    def test_producer_takes_large_records(self) -> None:
        found = producer_config(settings())
        assert found["max_request_size"] == MAX_BATCH_BYTES > 10 * 1024 * 1024
        assert (found["acks"], found["enable_idempotence"]) == ("all", True)

    @pytest.mark.parametrize("make", [client_config, consumer_config, producer_config, admin_config])
    def test_password_does_not_show_itself(self, make: Any) -> None:
        found = make(with_login(password=PASSWORD))
        assert found["sasl_plain_password"] == PASSWORD
        assert PASSWORD not in repr(found)

    def test_password_file_without_its_line_end(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        file.write_text(f" {PASSWORD} \n")
        found = client_config(with_login(password_file=file))
        assert found["sasl_plain_password"] == f" {PASSWORD} "
        assert PASSWORD not in repr(found)

    def test_missing_password_file(self, tmp_path: Path) -> None:
        file = tmp_path / "password"
        with pytest.raises(ConfigError) as caught:
            client_config(with_login(password_file=file))
        assert str(caught.value) == f"kafka.sasl.password_file: cannot read {file}: No such file or directory"

    def test_empty_token_file(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("\n")
        with pytest.raises(ConfigError) as caught:
            client_config(settings(security_protocol="SASL_SSL", sasl={"mechanism": "OAUTHBEARER", "token_file": file}))
        assert str(caught.value) == f"kafka.sasl.token_file: {file} is empty"

    def test_token_is_read_again_each_time(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("first")
        provider = client_config(
            settings(security_protocol="SASL_SSL", sasl={"mechanism": "OAUTHBEARER", "token_file": file})
        )["sasl_oauth_token_provider"]
        file.write_text("second\n")
        assert provider.token() == "second"


class TestTlsFiles:
    def test_context(self) -> None:
        context = client_config(settings(security_protocol="SSL"))["ssl_context"]
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)

    def test_missing_authority(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.pem"
        with pytest.raises(ConfigError) as caught:
            client_config(settings(security_protocol="SSL", tls={"ca_file": file}))
        assert str(caught.value) == f"kafka.tls.ca_file: cannot read {file}: No such file or directory"

    def test_authority_that_is_no_certificate(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.pem"
        file.write_text("hello\n")
        with pytest.raises(ConfigError) as caught:
            client_config(settings(security_protocol="SSL", tls={"ca_file": file}))
        assert str(caught.value) == f"kafka.tls.ca_file: {file} holds no PEM certificate"

    def test_key_of_another_certificate(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        one, two = authority.issue_cert("one@example.org"), authority.issue_cert("two@example.org")
        one.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        two.private_key_pem.write_to_path(tmp_path / "key.pem")
        tls = {"cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}
        with pytest.raises(ConfigError, match="does not belong to the certificate in"):
            client_config(settings(security_protocol="SSL", tls=tls))

    def test_missing_key(self, tmp_path: Path) -> None:
        trustme.CA().issue_cert("one@example.org").cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        tls = {"cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}
        with pytest.raises(ConfigError) as caught:
            client_config(settings(security_protocol="SSL", tls=tls))
        assert str(caught.value) == f"kafka.tls.key_file: cannot read {tmp_path}/key.pem: No such file or directory"


@pytest.fixture
def granted_topic(secure: Any, topic_name: str) -> Iterator[str]:
    """A topic that alice may read and write."""
    admin = KafkaAdminClient(bootstrap_servers=secure.broker.bootstrap)
    admin.create_topics([NewTopic(topic_name, 1, 1)])
    allow(admin, "alice", ResourcePattern(ResourceType.TOPIC, topic_name), ACLOperation.READ, ACLOperation.WRITE)
    yield topic_name
    admin.close()


@pytest.mark.kafka
class TestWithABroker:
    def test_records_travel_over_scram_and_tls_and_no_log_shows_the_password(
        self, secure: Any, granted_topic: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        kafka = secure.alice()
        assert kafka.sasl is not None
        assert kafka.sasl.password is not None
        producer = KafkaProducer(**producer_config(kafka))
        producer.send(granted_topic, b"x" * 1024).get(20)
        producer.close()
        consumer = KafkaConsumer(**{**consumer_config(kafka), "auto_offset_reset": "earliest"})
        consumer.assign([TopicPartition(granted_topic, 0)])
        values = [record.value for batch in consumer.poll(timeout_ms=20_000).values() for record in batch]
        consumer.close()
        assert values == [b"x" * 1024]
        assert "kafka" in {record.name.partition(".")[0] for record in caplog.records}
        assert kafka.sasl.password.get_secret_value() not in caplog.text

    def test_plain_password_is_in_no_log_either(self, secure: Any, caplog: pytest.LogCaptureFixture) -> None:
        # PLAIN sends the password itself, which kafka-python would print with the request.
        caplog.set_level(logging.DEBUG)
        sasl = {"mechanism": "PLAIN", "username": "bob", "password": "builder"}
        kafka = secure.settings("LOGIN", security_protocol="SASL_PLAINTEXT", sasl=sasl)
        consumer = KafkaConsumer(**consumer_config(kafka))
        consumer.close()
        check_cluster(kafka)
        assert any("Authenticated as bob" in record.getMessage() for record in caplog.records)
        assert "builder" not in caplog.text

    def test_oauth_token_from_a_file(self, secure: Any, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(unsigned_token("carol"))
        sasl = {"mechanism": "OAUTHBEARER", "token_file": file}
        kafka = secure.settings("LOGIN", security_protocol="SASL_PLAINTEXT", sasl=sasl)
        assert check_cluster(kafka).cluster_id == secure.broker.cluster_id
        KafkaConsumer(**consumer_config(kafka)).close()

    def test_stale_oauth_token(self, secure: Any, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(unsigned_token("carol", lifetime_seconds=-3600))
        sasl = {"mechanism": "OAUTHBEARER", "token_file": file}
        kafka = secure.settings("LOGIN", security_protocol="SASL_PLAINTEXT", sasl=sasl)
        with pytest.raises(KafkaUnavailableError) as caught:
            check_cluster(kafka)
        assert str(caught.value).startswith(f"{secure.broker.address('LOGIN')} refuses the login (")
        assert str(caught.value).endswith(
            "check that the token in kafka.sasl.token_file is fresh and meant for this cluster"
        )
