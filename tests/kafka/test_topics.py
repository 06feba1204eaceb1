"""Topics are made as they must be, and those that are there are verified."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACLOperation,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)

from detector.errors import KafkaUnavailableError
from detector.kafka.client import MAX_BATCH_BYTES, MAX_RECORD_BYTES, consumer_config, producer_config
from detector.kafka.topic_specs import (
    TopicSpec,
    dead_letters_topic,
    epochs_topic,
    events_topic,
    history_topic,
    state_topic,
)
from detector.kafka.topics import TopicInfo, describe_topics, ensure_topics
from detector.settings import KafkaSettings, TopicSettings
from tests.kafka.rights import allow

MAX_LONG = 2**63 - 1
YEAR_2000_MS = 946_684_800_000


@pytest.fixture
def kafka(broker: Any) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=(broker.bootstrap,))


@pytest.fixture
def topics(topic_name: str) -> TopicSettings:
    return TopicSettings(
        events=f"{topic_name}.events",
        dead_letters=f"{topic_name}.dead",
        state=f"{topic_name}.state",
        epochs=f"{topic_name}.epochs",
    )


def refusal(settings: KafkaSettings, *wanted: TopicSpec, create: bool = True) -> str:
    with pytest.raises(KafkaUnavailableError) as caught:
        ensure_topics(settings, wanted, create=create)
    return str(caught.value)


class TestSpecs:
    def test_state_is_compacted_and_its_segments_close_soon(self) -> None:
        assert state_topic(TopicSettings(), 4) == TopicSpec(
            name="reconstream.state",
            partitions=4,
            config={"min.cleanable.dirty.ratio": "0.1", "segment.ms": "3600000", "segment.bytes": "67108864"},
            cleanup_policy="compact",
            min_message_bytes=MAX_BATCH_BYTES,
        )

    @pytest.mark.parametrize("build", [events_topic, dead_letters_topic, epochs_topic])
    @pytest.mark.parametrize(("seconds", "milliseconds"), [(86_400.0, "86400000"), (-1.0, "-1")])
    def test_retention(self, build: Any, seconds: float, milliseconds: str) -> None:
        found = build(TopicSettings(retention_seconds=seconds), 2)
        assert found.full_config() == {
            "cleanup.policy": "delete",
            "max.message.bytes": str(MAX_BATCH_BYTES),
            "retention.ms": milliseconds,
        }

    def test_names_and_replication_come_from_the_settings(self) -> None:
        settings = TopicSettings(events="e", dead_letters="d", state="s", epochs="p", replication_factor=3)
        specs = [build(settings, 6) for build in (events_topic, dead_letters_topic, state_topic, epochs_topic)]
        assert [(spec.name, spec.partitions, spec.replication_factor) for spec in specs] == [
            ("e", 6, 3),
            ("d", 6, 3),
            ("s", 6, 3),
            ("p", 6, 3),
        ]

    def test_history_is_kept_whatever_its_age(self) -> None:
        assert history_topic("telemetry", 8).full_config() == {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "message.timestamp.after.max.ms": "9223372036854775807",
        }

    def test_command_for_those_who_may_create_topics(self) -> None:
        spec = TopicSpec("t", 3, {"retention.ms": "-1"}, min_message_bytes=2_000_000, replication_factor=2)
        assert spec.create_command("k:9092") == (
            "kafka-topics.sh --bootstrap-server k:9092 --create --topic t --partitions 3 --replication-factor 2 "
            "--config cleanup.policy=delete --config max.message.bytes=2000000 --config retention.ms=-1"
        )


@pytest.mark.kafka
class TestEnsure:
    def test_creates_what_is_missing(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        specs = [build(topics, 3) for build in (events_topic, dead_letters_topic, state_topic, epochs_topic)]
        found = ensure_topics(kafka, specs)
        year_ms = 31_536_000_000
        assert found[topics.events] == TopicInfo(
            name=topics.events,
            partitions=3,
            cleanup_policies=frozenset({"delete"}),
            retention_ms=year_ms,
            max_message_bytes=MAX_BATCH_BYTES,
            max_ahead_ms=3_600_000,
            max_behind_ms=MAX_LONG,
            timestamp_type="CreateTime",
        )
        assert found[topics.state].cleanup_policies == {"compact"}
        assert {name: info.partitions for name, info in found.items()} == dict.fromkeys(found, 3)
        assert describe_topics(kafka, list(found)) == found

    def test_again_changes_nothing(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        specs = [state_topic(topics, 2)]
        assert ensure_topics(kafka, specs) == ensure_topics(kafka, specs)

    def test_more_partitions_than_needed_are_welcome(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        ensure_topics(kafka, [state_topic(topics, 5)])
        assert ensure_topics(kafka, [state_topic(topics, 2)])[topics.state].partitions == 5

    def test_several_at_once(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        results: list[Any] = []

        def run() -> None:
            try:
                results.append(ensure_topics(kafka, [state_topic(topics, 2)])[topics.state].partitions)
            except Exception as error:
                results.append(error)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [2, 2, 2, 2]

    def test_too_few_partitions(
        self, kafka: KafkaSettings, topics: TopicSettings, create_topic: Callable[..., None]
    ) -> None:
        ensure_topics(kafka, [events_topic(topics, 1)])
        assert refusal(kafka, events_topic(topics, 4)) == (
            f"the topic '{topics.events}' has 1 partition and needs 4, one for each of the input's; "
            f"add partitions (kafka-topics.sh --bootstrap-server … --alter --topic {topics.events} --partitions 4), "
            "or name another topic"
        )

    @pytest.mark.parametrize("policy", ["delete", "compact,delete"])
    def test_state_that_would_be_deleted(
        self, kafka: KafkaSettings, topics: TopicSettings, create_topic: Callable[..., None], policy: str
    ) -> None:
        create_topic(topics.state, 2, {"cleanup.policy": policy, "max.message.bytes": str(MAX_BATCH_BYTES)})
        assert refusal(kafka, state_topic(topics, 2)) == (
            f"the topic '{topics.state}' has cleanup.policy={policy} and needs compact, since only the last record of "
            "each key is of use; change it, or name another topic"
        )

    def test_events_that_would_be_compacted_away(
        self, kafka: KafkaSettings, topics: TopicSettings, create_topic: Callable[..., None]
    ) -> None:
        create_topic(topics.events, 1, {"cleanup.policy": "compact", "max.message.bytes": str(MAX_BATCH_BYTES)})
        assert "has cleanup.policy=compact and needs delete, since no record may be lost" in refusal(
            kafka, events_topic(topics, 1)
        )

    def test_all_that_does_not_fit_is_told_at_once(
        self, kafka: KafkaSettings, topics: TopicSettings, create_topic: Callable[..., None]
    ) -> None:
        create_topic(topics.state, 1)
        said = refusal(kafka, state_topic(topics, 2))
        assert "has 1 partition and needs 2" in said
        assert "has cleanup.policy=delete and needs compact" in said
        assert f"has max.message.bytes=1048588 and needs at least {MAX_BATCH_BYTES}; raise it" in said

    def test_missing_and_not_to_be_created(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        spec = state_topic(topics, 2)
        said = refusal(kafka, spec, create=False)
        assert said == (
            f"missing topics: '{topics.state}', and topics.create is false; set it to true, or create them:\n"
            f"  {spec.create_command(kafka.bootstrap_servers[0])}"
        )
        assert describe_topics(kafka, [topics.state]) == {}

    def test_more_replicas_than_brokers(self, kafka: KafkaSettings, topic_name: str) -> None:
        said = refusal(kafka, TopicSpec(topic_name, 1, replication_factor=3))
        assert said.startswith(f"the topic '{topic_name}' cannot be created: ")
        assert "replication factor" in said.lower()

    def test_cluster_that_is_gone(self, topic_name: str) -> None:
        gone = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), connect_timeout_seconds=0.5)
        assert refusal(gone, TopicSpec(topic_name, 1)).startswith("cannot use the Kafka cluster at 127.0.0.1:1: ")


@pytest.mark.kafka
class TestWhatTheSettingsAreFor:
    def test_largest_record_passes(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        ensure_topics(kafka, [dead_letters_topic(topics, 1)])
        producer = KafkaProducer(**producer_config(kafka))
        producer.send(topics.dead_letters, b"x" * MAX_RECORD_BYTES, headers=[("reason", b"y" * 2048)]).get(30)
        producer.close()
        consumer = KafkaConsumer(**{**consumer_config(kafka), "auto_offset_reset": "earliest"})
        consumer.assign([TopicPartition(topics.dead_letters, 0)])
        sizes = [len(record.value) for batch in consumer.poll(timeout_ms=30_000).values() for record in batch]
        consumer.close()
        assert sizes == [MAX_RECORD_BYTES]

    def test_history_takes_any_time(self, kafka: KafkaSettings, topic_name: str) -> None:
        ensure_topics(kafka, [history_topic(topic_name, 1)])
        producer = KafkaProducer(**producer_config(kafka))
        next_year_ms = int(time.time() * 1000) + 365 * 86_400_000
        offsets = [
            producer.send(topic_name, b"x", timestamp_ms=when).get(20).offset for when in (YEAR_2000_MS, next_year_ms)
        ]
        producer.close()
        assert offsets == [0, 1]
        found = describe_topics(kafka, [topic_name])[topic_name]
        assert (found.retention_ms, found.max_ahead_ms) == (-1, MAX_LONG)


@pytest.fixture
def admin(secure: Any) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=secure.broker.bootstrap)
    yield client
    client.close()


@pytest.mark.kafka
class TestRights:
    def grant(self, admin: KafkaAdminClient, name: str, *operations: ACLOperation) -> None:
        allow(admin, "alice", ResourcePattern(ResourceType.TOPIC, name), *operations)

    def test_may_not_see(self, secure: Any, topic_name: str) -> None:
        assert refusal(secure.alice(), TopicSpec(topic_name, 1)) == (
            f"this client may not see the topic '{topic_name}', if there is one; grant the right to Describe it"
        )

    def test_may_not_create(self, secure: Any, admin: KafkaAdminClient, topic_name: str) -> None:
        self.grant(admin, topic_name, ACLOperation.DESCRIBE)
        assert refusal(secure.alice(), TopicSpec(topic_name, 1)) == (
            f"this client may not create the topic '{topic_name}'; grant the right to Create it, "
            "or create it yourself and set topics.create to false"
        )

    def test_may_not_verify(self, secure: Any, admin: KafkaAdminClient, topic_name: str) -> None:
        admin.create_topics([NewTopic(topic_name, 1, 1)])
        self.grant(admin, topic_name, ACLOperation.READ)
        assert refusal(secure.alice(), TopicSpec(topic_name, 1)) == (
            f"this client may not see the settings of the topic '{topic_name}'; "
            "grant the right to DescribeConfigs on it"
        )

    def test_may_all_it_needs(self, secure: Any, admin: KafkaAdminClient, topic_name: str) -> None:
        self.grant(admin, topic_name, ACLOperation.CREATE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS)
        assert ensure_topics(secure.alice(), [TopicSpec(topic_name, 2)])[topic_name].partitions == 2


class TestBrokersThatLearnOfATopicLate:
    """With several brokers, the one that is asked may not know yet what another has created."""

    def test_it_is_asked_again(
        self, broker: Any, topic_name: str, create_topic: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create_topic(topic_name)
        settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
        describe = KafkaAdminClient.describe_configs
        late = [2]

        def forgetful(self: KafkaAdminClient, *arguments: Any, **options: Any) -> Any:
            found = describe(self, *arguments, **options)
            if late[0]:
                late[0] -= 1
                found["topic"] = {} if late[0] else {topic_name: {}}
            return found

        monkeypatch.setattr(KafkaAdminClient, "describe_configs", forgetful)
        assert describe_topics(settings, [topic_name])[topic_name].partitions == 1
        assert late == [0]

    def test_for_so_long_only(
        self, broker: Any, topic_name: str, create_topic: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create_topic(topic_name)
        settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
        monkeypatch.setattr("detector.kafka.topics._PROPAGATION_SECONDS", 0.3)
        monkeypatch.setattr(KafkaAdminClient, "describe_configs", lambda *_, **__: {"topic": {}})
        with pytest.raises(KafkaUnavailableError, match=r"brokers do not agree on the topics '.*Try again"):
            describe_topics(settings, [topic_name])
