"""Each way in which a cluster cannot be used has its own message, which names the address and the remedy."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka.admin import (
    ACLOperation,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)

from detector.broker import LocalBroker
from detector.errors import KafkaUnavailableError
from detector.kafka.preflight import check_cluster, check_group, check_topics
from detector.settings import KafkaSettings
from tests.kafka.rights import allow

pytestmark = pytest.mark.kafka

Plaintext = Callable[..., KafkaSettings]


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def closes_at_first(broker: LocalBroker) -> Iterator[str]:
    """Address of a way to the broker that closes its first two connections without a word."""
    host, _, port = broker.bootstrap.partition(":")
    listener = socket.create_server((host, 0))

    def forward(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def run() -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                client, _ = listener.accept()
                if number < 2:
                    client.close()
                    continue
                upstream = socket.create_connection((host, int(port)))
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=forward, args=pair, daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    yield f"{host}:{listener.getsockname()[1]}"
    listener.close()


def refusal(check: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    with pytest.raises(KafkaUnavailableError) as caught:
        check(*arguments, **options)
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.fixture
def free_address() -> Iterator[str]:
    """Of a port that refuses connections; it is held, so that no other program can begin to listen there."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """``serve(answer)`` gives the address of a server that answers whatever it gets with these bytes."""
    servers = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


class TestCluster:
    def test_usable(self, broker: Any, plaintext: Plaintext) -> None:
        found = check_cluster(plaintext())
        assert (found.cluster_id, found.brokers) == (broker.cluster_id, (broker.bootstrap,))

    def test_unknown_host(self, plaintext: Plaintext) -> None:
        said = refusal(
            check_cluster, plaintext(bootstrap_servers="no-such-host.invalid:9092", connect_timeout_seconds=1)
        )
        assert said.startswith("the host name 'no-such-host.invalid' of no-such-host.invalid:9092 cannot be resolved (")
        assert said.endswith("check its spelling and the name service")

    def test_refused_is_waited_for_and_then_told(self, plaintext: Plaintext, free_address: str) -> None:
        time = FakeTime()
        settings = plaintext(bootstrap_servers=free_address, connect_timeout_seconds=2)
        said = refusal(check_cluster, settings, clock=time.clock, sleep=time.sleep)
        assert said == f"{free_address} refuses connections; check the address, and that the broker is running"
        assert time.sleeps == [0.5, 0.5, 0.5]

    def test_broker_that_comes_up_meanwhile(self, broker: Any, plaintext: Plaintext) -> None:
        time = FakeTime()
        broker.stop()

        def sleep(seconds: float) -> None:
            if not broker.is_running:
                broker.start()
            time.sleep(seconds)

        assert check_cluster(plaintext(), time.clock, sleep).cluster_id == broker.cluster_id
        assert time.sleeps[0] == 0.5

    def test_second_bootstrap_server_is_tried(self, broker: Any, plaintext: Plaintext, free_address: str) -> None:
        settings = plaintext(bootstrap_servers=f"{free_address},{broker.bootstrap}")
        assert check_cluster(settings).cluster_id == broker.cluster_id

    def test_several_useless_servers_are_all_named(self, plaintext: Plaintext, free_address: str) -> None:
        servers = f"{free_address},no-such-host.invalid:9092"
        said = refusal(check_cluster, plaintext(bootstrap_servers=servers, connect_timeout_seconds=1))
        assert said.startswith(f"no bootstrap server can be used: {free_address} refuses connections; ")
        assert "no-such-host.invalid:9092 cannot be resolved" in said

    def test_frozen_broker(self, broker: Any, plaintext: Plaintext) -> None:
        broker.pause()
        try:
            said = ""
            for _ in range(100):  # a process with many threads stops a moment after it was told to
                try:
                    check_cluster(plaintext(connect_timeout_seconds=0.3))
                except KafkaUnavailableError as error:
                    said = str(error)
                    break
        finally:
            broker.resume()
        assert said == (
            f"{broker.bootstrap} accepts connections but does not answer; the broker is overloaded or frozen, "
            "or the port is none of a PLAINTEXT listener"
        )

    def test_another_kind_of_server(self, plaintext: Plaintext, serve: Callable[[bytes], str]) -> None:
        address = serve(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        said = refusal(check_cluster, plaintext(bootstrap_servers=address))
        assert said == f"what listens at {address} does not speak Kafka's protocol; check host and port"

    def test_controller(self, secure: Any) -> None:
        said = refusal(check_cluster, secure.settings("CONTROLLER"))
        assert "does not offer what a client needs; it may be a controller" in said


class TestTls:
    def test_scram_over_tls(self, secure: Any) -> None:
        found = check_cluster(secure.alice())
        assert found.brokers == (secure.broker.address("SECURE"),)

    def test_untrusted_authority(self, secure: Any) -> None:
        said = refusal(check_cluster, secure.alice(tls={"ca_file": secure.other_ca_file}))
        address = secure.broker.address("SECURE")
        assert said.startswith(f"the TLS certificate of {address} is not trusted by {secure.other_ca_file} (")
        assert said.endswith("set kafka.tls.ca_file to the PEM file of the authority that issued it")

    def test_authorities_of_the_system_do_not_know_it(self, secure: Any) -> None:
        assert "is not trusted by the system's authorities" in refusal(check_cluster, secure.alice(tls={}))

    def test_hostname_mismatch(self, secure: Any) -> None:
        settings = secure.settings("UNNAMED", security_protocol="SSL", tls={"ca_file": secure.ca_file})
        said = refusal(check_cluster, settings)
        assert f"certificate of {secure.broker.address('UNNAMED')} is not for '127.0.0.1' (hostname mismatch)" in said
        assert "kafka.tls.check_hostname" in said

    def test_hostname_check_off(self, secure: Any) -> None:
        tls = {"ca_file": secure.ca_file, "check_hostname": False}
        settings = secure.settings("UNNAMED", security_protocol="SSL", tls=tls)
        assert check_cluster(settings).cluster_id == secure.broker.cluster_id

    @pytest.mark.parametrize(("protocol", "advice"), [("PLAINTEXT", "SSL"), ("SASL_PLAINTEXT", "SASL_SSL")])
    def test_plaintext_to_a_tls_port(self, secure: Any, protocol: str, advice: str) -> None:
        sasl = {"mechanism": "PLAIN", "username": "bob", "password": "builder"} if "SASL" in protocol else None
        said = refusal(check_cluster, secure.settings("SECURE", security_protocol=protocol, sasl=sasl))
        assert said.startswith(
            f"{secure.broker.address('SECURE')} answers in TLS; set kafka.security_protocol to {advice},"
        )

    def test_tls_to_a_plaintext_port(self, secure: Any) -> None:
        settings = secure.settings("PLAINTEXT", security_protocol="SSL", tls={"ca_file": secure.ca_file})
        said = refusal(check_cluster, settings)
        assert said.startswith(f"{secure.broker.bootstrap} does not speak TLS; it looks like a plaintext listener")
        assert said.endswith("set kafka.security_protocol to PLAINTEXT")

    def test_client_certificate_demanded(self, secure: Any) -> None:
        settings = secure.settings("MUTUAL", security_protocol="SSL", tls={"ca_file": secure.ca_file})
        said = refusal(check_cluster, settings)
        assert said.startswith(f"{secure.broker.address('MUTUAL')} demands a client certificate (")
        assert said.endswith("set kafka.tls.cert_file and kafka.tls.key_file")

    def test_client_certificate(self, secure: Any) -> None:
        tls = {"ca_file": secure.ca_file, "cert_file": secure.client_cert, "key_file": secure.client_key}
        settings = secure.settings("MUTUAL", security_protocol="SSL", tls=tls)
        assert check_cluster(settings).cluster_id == secure.broker.cluster_id

    def test_foreign_client_certificate(self, secure: Any) -> None:
        tls = {"ca_file": secure.ca_file, "cert_file": secure.foreign_cert, "key_file": secure.foreign_key}
        said = refusal(check_cluster, secure.settings("MUTUAL", security_protocol="SSL", tls=tls))
        assert f"does not accept the client certificate in {secure.foreign_cert}" in said


class TestLogin:
    @pytest.mark.parametrize("name", ["alice", "eve"])
    def test_wrong_password_or_unknown_user(self, secure: Any, name: str) -> None:
        sasl = {"mechanism": "SCRAM-SHA-512", "username": name, "password": "queen of hearts"}
        said = refusal(check_cluster, secure.alice(sasl=sasl))
        assert said.startswith(f"{secure.broker.address('SECURE')} refuses the login (")
        assert said.endswith(
            f"check name and password of '{name}' in kafka.sasl, and that the user exists for SCRAM-SHA-512"
        )
        assert "queen of hearts" not in said

    def test_wrong_password_is_not_tried_again(self, secure: Any) -> None:
        time = FakeTime()
        sasl = {"mechanism": "SCRAM-SHA-512", "username": "alice", "password": "no"}
        refusal(check_cluster, secure.alice(sasl=sasl), clock=time.clock, sleep=time.sleep)
        assert time.sleeps == []

    def test_mechanism_that_is_not_offered(self, secure: Any) -> None:
        sasl = {"mechanism": "SCRAM-SHA-256", "username": "alice", "password": "wonderland, 7"}
        said = refusal(check_cluster, secure.alice(sasl=sasl))
        assert said.endswith("set kafka.sasl.mechanism to one that it offers: SCRAM-SHA-512")

    @pytest.mark.parametrize(
        ("listener", "protocol", "advice"), [("SECURE", "SSL", "SASL_SSL"), ("LOGIN", "PLAINTEXT", "SASL_PLAINTEXT")]
    )
    def test_login_demanded(self, secure: Any, listener: str, protocol: str, advice: str) -> None:
        settings = secure.settings(listener, security_protocol=protocol, tls={"ca_file": secure.ca_file})
        said = refusal(check_cluster, settings)
        assert said.startswith(f"{secure.broker.address(listener)} closed the connection at the first request")
        assert said.endswith(f"set kafka.security_protocol to {advice} and add a section kafka.sasl")

    def test_login_not_expected(self, secure: Any) -> None:
        sasl = {"mechanism": "PLAIN", "username": "bob", "password": "builder"}
        said = refusal(check_cluster, secure.settings("PLAINTEXT", security_protocol="SASL_PLAINTEXT", sasl=sasl))
        assert said.startswith(f"{secure.broker.bootstrap} is a listener without a login")
        assert "set kafka.security_protocol to PLAINTEXT" in said


@pytest.fixture
def admin(secure: Any) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=secure.broker.bootstrap)
    yield client
    client.close()


def grant(admin: KafkaAdminClient, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
    allow(admin, "alice", ResourcePattern(kind, name), *operations)


class TestRights:
    def test_partitions_of_the_topics(
        self, plaintext: Plaintext, topic_name: str, create_topic: Callable[..., None]
    ) -> None:
        create_topic(topic_name, partitions=3)
        assert check_topics(plaintext(), [topic_name], [topic_name]) == {topic_name: 3}

    def test_missing_topics_are_all_named(
        self, plaintext: Plaintext, topic_name: str, create_topic: Callable[..., None]
    ) -> None:
        create_topic(topic_name)
        said = refusal(check_topics, plaintext(), [topic_name, "no-such-input"], ["no-such-output"])
        assert said == (
            "the topic 'no-such-input' does not exist on the cluster; check its name, or create it; "
            "the topic 'no-such-output' does not exist on the cluster; check its name, or create it"
        )

    def test_topic_that_may_not_be_seen(self, secure: Any, admin: KafkaAdminClient, topic_name: str) -> None:
        admin.create_topics([NewTopic(topic_name, 1, 1)])
        said = refusal(check_topics, secure.alice(), [topic_name])
        assert said == (
            f"the user 'alice' may not see the topic '{topic_name}', if there is one; "
            "grant the rights Describe and Read on it"
        )

    def test_topic_that_may_be_read_but_not_written(
        self, secure: Any, admin: KafkaAdminClient, topic_name: str
    ) -> None:
        admin.create_topics([NewTopic(topic_name, 2, 1)])
        grant(admin, ResourceType.TOPIC, topic_name, ACLOperation.READ)
        assert check_topics(secure.alice(), [topic_name]) == {topic_name: 2}
        said = refusal(check_topics, secure.alice(), [topic_name], [topic_name])
        assert said == f"the user 'alice' lacks the right to Write the topic '{topic_name}'; grant it"

    def test_group_and_transactional_id(self, secure: Any, admin: KafkaAdminClient, topic_name: str) -> None:
        said = refusal(check_group, secure.alice(), topic_name, topic_name)
        assert said == (
            f"the user 'alice' lacks the right to Read the consumer group '{topic_name}' and "
            f"the rights to Describe and Write the transactional id '{topic_name}'; grant what is missing"
        )
        grant(admin, ResourceType.GROUP, topic_name, ACLOperation.READ)
        assert "transactional id" in refusal(check_group, secure.alice(), topic_name, topic_name)
        grant(admin, ResourceType.TRANSACTIONAL_ID, topic_name, ACLOperation.DESCRIBE, ACLOperation.WRITE)
        check_group(secure.alice(), topic_name, topic_name)


def test_a_connection_that_is_cut_while_a_broker_goes_away_is_not_taken_for_a_wrong_setting(
    plaintext: Plaintext, closes_at_first: str
) -> None:
    assert check_cluster(plaintext(bootstrap_servers=closes_at_first, connect_timeout_seconds=10)).cluster_id
