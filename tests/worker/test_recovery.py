"""What a restart must know, and what it does when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from detector.errors import StateMismatchError
from detector.kafka import at_least_once
from detector.kafka.at_least_once import AtLeastOnceCommitter
from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.membership import Membership
from detector.pipeline.partition import PartitionPipeline
from detector.records.values import InputPartition, PlainRecord
from tests.worker.support import (
    KEEP,
    Cluster,
    Nowhere,
    RunningWorker,
    make_context,
    make_settings,
    record,
    series_with_faults,
)

Start = Callable[..., RunningWorker]
FORGET_SECONDS = 600


def pipeline() -> PartitionPipeline:
    return PartitionPipeline(make_context(make_settings(Nowhere("localhost:1", "none")), "cluster"), 0)


def as_records(series: str, items: Sequence[tuple[int, bytes]], first_offset: int) -> list[PlainRecord]:
    return [
        PlainRecord("none.input", 0, first_offset + i, timestamp, series.encode(), value)
        for i, (timestamp, value) in enumerate(items)
    ]


def after_an_outage(first_offset: int) -> list[PlainRecord]:
    """Two series that go on, each with a sample at 0 and some long after: so much agrees that the rest is forgotten."""
    seconds = [0, *(FORGET_SECONDS * 2 + i for i in range(5))]
    return [
        record_
        for i, second in enumerate(seconds)
        for record_ in (
            *as_records("stays", [record(second, 0.0)], first_offset + 2 * i),
            *as_records("stays-too", [record(second, 0.0)], first_offset + 2 * i + 1),
        )
    ]


def test_a_forgotten_series_is_not_revived_by_reading_old_records_again() -> None:
    faulty = as_records("gone", series_with_faults(20, [(10, 15)]), 0)
    later = after_an_outage(20)
    first = pipeline()
    outcome = first.process([*faulty, *later])
    assert "gone" in outcome.touched
    assert "gone" not in first.store
    marker = first.snapshot("gone", 32)
    assert (marker.windows, marker.next_offset) == (b"", 32)

    second = pipeline()
    second.restore("gone", marker)
    again = second.process(faulty)
    assert (len(second.store), again.events) == (0, [])
    second.go_live()
    # A restart that reads from offset 5 on still needs the marker; one that reads from 32 on does not.
    assert second.expired_markers(5) == []
    assert second.expired_markers(32) == ["gone"]
    assert second.expired_markers(99) == []


def test_a_series_that_came_back_keeps_its_state() -> None:
    first = pipeline()
    first.process(as_records("gone", [record(0, 0.0)], 0))
    first.process(after_an_outage(1))
    assert "gone" not in first.store
    first.snapshot("gone", 13)
    first.process(as_records("gone", [record(FORGET_SECONDS * 2 + 2, 0.0)], 13))
    assert "gone" in first.store
    assert first.expired_markers(20) == []


def test_an_unconfirmed_jump_is_part_of_the_state() -> None:
    first = pipeline()
    far = record(100_000, 0.0)  # the limit is an hour
    outcome = first.process(as_records("pump", [record(0, 0.0), record(1, 0.0), far], 0))
    assert outcome.rejected == {"unconfirmed_jump": 1}
    assert "pump" in outcome.touched
    second = pipeline()
    second.restore("pump", first.snapshot("pump", 3))
    confirmed = second.process(as_records("pump", [record(100_001, 0.0)], 3))
    # So far ahead that the series counts as forgotten rather than paused.
    assert (confirmed.rejected, confirmed.resets) == ({}, {"forgotten": 1})


class RecordingProducer:
    """Stands in for kafka-python's producer; notes the order of sends and flushes."""

    def __init__(self, **config: Any) -> None:
        self.log: list[str] = []
        RecordingProducer.last = self

    last: RecordingProducer

    def send(self, topic: str, **parts: Any) -> RecordingProducer:
        self.log.append(topic)
        return self

    def get(self, timeout: float) -> None:
        self.log.append("acknowledged")

    def flush(self, timeout: float) -> None:
        self.log.append("flush")


def test_at_least_once_writes_state_only_after_the_events_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offsets:
        def commit(self, offsets: Any) -> None:
            RecordingProducer.last.log.append("offsets")

    class Metadata:
        generation_id = 1
        member_id = "one"

    monkeypatch.setattr(at_least_once, "KafkaProducer", RecordingProducer)
    committer = AtLeastOnceCommitter({}, Offsets(), 10.0, last=["state"])  # type: ignore[arg-type]
    outputs = [OutputRecord(topic, 0, b"k", b"v") for topic in ("state", "events", "letters")]
    assert committer.commit(outputs, {}, Membership(Metadata())) is CommitResult.COMMITTED
    assert RecordingProducer.last.log == [
        "events", "letters", "flush", "acknowledged", "acknowledged", "state", "flush", "acknowledged", "offsets",
    ]  # fmt: skip


@pytest.mark.kafka
def test_input_that_retention_deleted_is_said_and_passed_over_only_on_request(
    cluster: Cluster, run_worker: Start, broker: Any
) -> None:
    cluster.send("pump-1", series_with_faults(20, []))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 20})
    worker.stop()
    cluster.send("pump-1", series_with_faults(60, [(45, 50)])[20:])
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(cluster.input, 0): 30})
    admin.close()

    refused = run_worker()
    with pytest.raises(StateMismatchError, match=r"records 20 to 29 were deleted.*worker\.on_lost_input to 'continue'"):
        refused.wait_for(lambda: False)
    refused.parts.close()

    going_on = run_worker(make_settings(cluster, on_lost_input="continue"))
    going_on.wait_committed(cluster, {0: 60})
    assert [event.event for event in cluster.events()] == ["opened", "closed"]


@pytest.mark.kafka
def test_offsets_moved_back_by_hand_are_refused(cluster: Cluster, run_worker: Start) -> None:
    from kafka import KafkaConsumer, OffsetAndMetadata

    cluster.send("pump-1", series_with_faults(20, []))
    worker = run_worker(make_settings(cluster, static_membership=False))
    worker.wait_committed(cluster, {0: 20})
    worker.stop()
    by_hand = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap, group_id=f"{cluster.name}.group", enable_auto_commit=False
    )
    by_hand.assign([TopicPartition(cluster.input, 0)])
    by_hand.commit({TopicPartition(cluster.input, 0): OffsetAndMetadata(5, "", -1)})
    by_hand.close()
    again = run_worker(make_settings(cluster, static_membership=False))
    with pytest.raises(StateMismatchError, match=r"at offset 20, ahead of the group's 5.*detector replay"):
        again.wait_for(lambda: False)


@pytest.mark.kafka
def test_two_streams_share_a_worker_and_keep_apart(
    cluster: Cluster, run_worker: Start, create_topic: Callable[..., None]
) -> None:
    other = f"{cluster.name}.other"
    create_topic(other, partitions=1, config=KEEP)
    settings = make_settings(cluster)
    second = settings.streams[0].model_copy(update={"name": "fans", "topic": other})
    both = settings.model_copy(update={"streams": (settings.streams[0], second)})
    alone = settings.model_copy(update={"streams": (second,)})
    cluster.send("same-name", series_with_faults(30, [(10, 15)]))
    for timestamp, value in series_with_faults(30, [(20, 25)]):
        cluster.producer.send(other, key=b"same-name", value=value, timestamp_ms=timestamp, partition=0)
    cluster.producer.flush()

    running = RunningWorker(
        both, lambda cluster_id: {cluster.input: make_context(both, cluster_id), other: make_context(alone, cluster_id)}
    )
    try:
        running.wait_for(
            lambda: (
                {(p.topic, state.committed) for p, state in running.live.items() if p.partition == 0}
                == {(cluster.input, 30), (other, 30)}
            )
        )
        assert {InputPartition(other, 0), InputPartition(cluster.input, 1)} <= set(running.live)
    finally:
        running.stop()
    opened = {event.stream: event.source.opened_offset for event in cluster.events() if event.event == "opened"}
    assert opened == {"pumps": 11, "fans": 21}
    assert running.value("windows_scored_total", stream="fans") == 28
