"""What was damaged by hand is found, named, and told apart from what cannot be known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient

from detector.alerting.events import decode, encode
from detector.audit.report import AuditReport
from detector.cli.audit.summary import as_document, conclusion
from detector.errors import AuditFailedError, AuditUndeterminedError
from detector.settings import Settings
from detector.state import SeriesState, control_key, decode_control, decode_series, encode_state, series_key
from tests.audit.support import FIRST, SECOND, Start, audit
from tests.worker.support import KEEP, Cluster, make_settings, series_with_faults

pytestmark = pytest.mark.kafka
Found = list[tuple[str, str, bool, int]]


def found(report: AuditReport) -> Found:
    return [(f.subject, f.kind, f.certain, f.offset) for f in report.findings]


@pytest.fixture
def lived(cluster: Cluster, run_worker: Start) -> Cluster:
    """Three incidents of pump-1 (offsets 11 to 50), one of pump-2, two dead letters."""
    cluster.send("pump-1", series_with_faults(60, [(10, 15), (25, 30), (45, 50)]))
    cluster.send("pump-2", series_with_faults(60, [(20, 25)]), partition=1)
    cluster.send("pump-1", [(0, b"not json"), (0, b"[]")])
    worker = run_worker(make_settings(cluster, static_membership=False))
    worker.wait_committed(cluster, {0: 62, 1: 60})
    worker.stop()
    return cluster


@pytest.fixture
def copied(lived: Cluster, create_topic: Callable[..., None]) -> Callable[..., Settings]:
    """``copied("events", change)``: settings that name a copy of a topic, whose records a function has changed."""

    def copy(kind: str, change: Callable[[list[Any]], Sequence[Any]]) -> Settings:
        settings = make_settings(lived)
        source = getattr(settings.topics, kind)
        target = f"{source}.copy"
        create_topic(target, partitions=2, config={**KEEP, "max.message.bytes": "10551296"})
        for record in change(lived.read(source)):
            lived.producer.send(
                target, key=record.key, value=record.value, headers=list(record.headers), partition=record.partition
            )
        lived.producer.flush()
        return settings.model_copy(update={"topics": settings.topics.model_copy(update={kind: target})})

    return copy


def test_an_unchanged_copy_is_clean(lived: Cluster, copied: Callable[..., Settings]) -> None:
    report = audit(lived, copied("events", list))
    assert (found(report), conclusion(report)) == ([], None)
    assert as_document(report)["result"] == "clean"


def test_a_missing_event(lived: Cluster, copied: Callable[..., Settings]) -> None:
    report = audit(lived, copied("events", lambda records: [r for i, r in enumerate(records) if i != 2]))
    assert found(report) == [("event", "missing", True, 26)]
    (finding,) = report.findings
    assert (finding.series, finding.detail) == ("pump-1", "opened, sequence 0")
    assert finding.id == lived.events()[2].event_id
    assert isinstance(conclusion(report), AuditFailedError)
    assert str(conclusion(report)) == "1 difference found"


def test_a_repeated_event(lived: Cluster, copied: Callable[..., Settings]) -> None:
    report = audit(lived, copied("events", lambda records: [*records, records[0]]))
    assert found(report) == [("event", "repeated", True, 11)]


def test_swapped_events_of_a_series(lived: Cluster, copied: Callable[..., Settings]) -> None:
    report = audit(lived, copied("events", lambda records: [records[i] for i in (0, 2, 1, *range(3, len(records)))]))
    assert found(report) == [("event", "out of order", True, 17)]
    assert report.totals()["events"] == 8


def test_an_event_with_other_content(lived: Cluster, copied: Callable[..., Settings]) -> None:
    def change(records: list[Any]) -> list[Any]:
        event = decode(records[1].value)
        source = msgspec.structs.replace(event.source, first_offset=1)
        other = msgspec.structs.replace(event, peak_score=9.0, severity="critical", source=source)
        return [records[0], records[1]._replace(value=encode(other)), *records[2:]]

    report = audit(lived, copied("events", change))
    assert found(report) == [("event", "different", True, 17)]
    (finding,) = report.findings
    assert finding.fields == ("severity", "peak_score", "source.first_offset")


def test_events_that_nobody_computed(lived: Cluster, copied: Callable[..., Settings]) -> None:
    def change(records: list[Any]) -> list[Any]:
        event = decode(records[0].value)
        made_up = msgspec.structs.replace(event, event_id="0" * 32)
        from_nowhere = msgspec.structs.replace(
            event, event_id="1" * 32, source=msgspec.structs.replace(event.source, last_offset=4711)
        )
        elsewhere = next(r for r in records if r.partition == 1)._replace(partition=0)
        other_stream = records[0]._replace(value=encode(msgspec.structs.replace(event, stream="fans")))
        new = [records[0]._replace(value=encode(e)) for e in (made_up, from_nowhere)]
        return [*records, *new, elsewhere, other_stream, records[0]._replace(value=b"{}")]

    report = audit(lived, copied("events", change))
    assert sorted(found(report)) == [
        ("event", "unexpected", True, 11), ("event", "unexpected", True, 21), ("event", "unexpected", True, 4711),
        ("event", "unreadable", True, 10),
    ]  # fmt: skip
    details = " ".join(f.detail for f in report.findings)
    assert "it is of input partition 1 and stands in partition 0" in details
    assert "the input ends at 62" in details


def test_dead_letters(lived: Cluster, copied: Callable[..., Settings]) -> None:
    def change(records: list[Any]) -> list[Any]:
        assert [dict(r.headers)["reconstream-offset"] for r in records] == [b"60", b"61"]
        return [records[1]._replace(value=b"[1]"), records[1]]

    report = audit(lived, copied("dead_letters", change))
    assert sorted(found(report)) == [
        ("dead letter", "different", True, 61),
        ("dead letter", "missing", True, 60),
        ("dead letter", "repeated", True, 61),
    ]
    assert [f.fields for f in report.findings if f.kind == "different"] == [("value",)]


def alter(cluster: Cluster, key: bytes, value: bytes | None) -> None:
    cluster.producer.send(make_settings(cluster).topics.state, key=key, value=value, partition=0)
    cluster.producer.flush()


def snapshot_of(cluster: Cluster, series: str) -> SeriesState:
    records = cluster.read(make_settings(cluster).topics.state)
    return decode_series([r.value for r in records if r.key == series_key("pumps", series)][-1])


def test_an_altered_snapshot(lived: Cluster) -> None:
    state = snapshot_of(lived, "pump-1")
    damaged = msgspec.structs.replace(state, incidents=snapshot_with_a_run())
    alter(lived, series_key("pumps", "pump-1"), encode_state(damaged))
    report = audit(lived)
    assert found(report) == [("state", "different", True, state.next_offset)]
    (finding,) = report.findings
    assert (finding.series, finding.fields) == ("pump-1", ("incidents.lifecycle", "incidents.evidence"))


def snapshot_with_a_run() -> bytes:
    from detector.alerting.evidence import Evidence
    from detector.alerting.lifecycle import Lifecycle
    from detector.alerting.snapshot import TrackState, encode_track

    return encode_track(TrackState(Lifecycle(run=1), Evidence(1, 1, 1, 3.0, 3.0, ())))


def test_a_damaged_snapshot_and_one_that_is_gone(lived: Cluster) -> None:
    alter(lived, series_key("pumps", "pump-1"), b"\x94\x01")
    report = audit(lived)
    assert found(report) == [("state", "unreadable", True, 62)]
    alter(lived, series_key("pumps", "pump-1"), None)
    report = audit(lived)
    assert found(report) == [("state", "missing", True, 62)]


def test_a_replay_offset_that_is_too_high(lived: Cluster, run_worker: Start) -> None:
    lived.send("pump-1", series_with_faults(70, [])[60:])
    worker = run_worker(make_settings(lived, static_membership=False))
    worker.wait_committed(lived, {0: 72})
    worker.stop()
    records = lived.read(make_settings(lived).topics.state)
    control = decode_control([r.value for r in records if r.key == control_key("pumps") and r.partition == 0][-1])
    alter(lived, control_key("pumps"), encode_state(msgspec.structs.replace(control, replay_from=71)))
    report = audit(lived)
    assert control.replay_from == 62
    assert found(report) == [("state", "torn", True, 72)]
    assert "a restart would read from 71" in next(iter(report.findings)).detail


def test_offsets_moved_back(lived: Cluster) -> None:
    by_hand = KafkaConsumer(bootstrap_servers=lived.bootstrap, group_id=f"{lived.name}.group", enable_auto_commit=False)
    by_hand.assign([TopicPartition(lived.input, 0)])
    by_hand.commit({TopicPartition(lived.input, 0): OffsetAndMetadata(5, "", -1)})
    by_hand.close()
    report = audit(lived)
    assert found(report) == [("state", "torn", True, 62)]
    assert next(iter(report.findings)).detail == "the state is at offset 62, the group at 5"


def test_an_unknown_bundle_leaves_its_time_undetermined(lived: Cluster, run_worker: Start) -> None:
    lived.send("pump-1", series_with_faults(120, [(70, 75)])[60:])
    worker = run_worker(make_settings(lived, static_membership=False), SECOND)
    worker.wait_committed(lived, {0: 122})
    worker.stop()
    assert conclusion(audit(lived)) is None
    report = audit(lived, models=(FIRST,))
    assert report.differences == 0
    (hole,) = report.partitions[0].holes
    assert (hole.first, hole.stop) == (62, 122)
    assert SECOND in hole.reason
    assert isinstance(conclusion(report), AuditUndeterminedError)
    # The model of the beginning is the one that is missing: what follows begins at a checkpoint, or looks back.
    report = audit(lived, models=(SECOND,))
    assert report.differences == 0
    assert (report.partitions[0].holes[0].first, report.partitions[0].holes[0].stop) == (0, 62)
    assert report.partitions[0].started


def test_a_range_in_mid_stream_without_a_checkpoint(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(60, [(10, 15), (25, 40), (45, 50)]))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 60})
    worker.stop()
    # An incident was open already: its end is not an error, and no proof either.
    report = audit(cluster, from_offset=30, look_back=0)
    part = report.partitions[0]
    if part.started[0][1].startswith("look-back"):
        assert all(not certain for *_, certain, _ in found(report))
        assert part.undetermined_series == ["pump-1"]
        assert as_document(report)["result"] == "undetermined"
    assert report.differences == 0


def test_input_that_retention_deleted(lived: Cluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=lived.bootstrap)
    admin.delete_records({TopicPartition(lived.input, 0): 20})
    admin.close()
    report = audit(lived, from_offset=0)
    assert report.differences == 0
    (hole,) = report.partitions[0].holes
    assert (hole.first, hole.stop, hole.reason) == (0, 20, "retention deleted these records of the input")
    assert as_document(report)["result"] == "undetermined"
    # Without a range only what is left is looked at; its beginning is unknown all the same.
    left = audit(lived)
    assert (left.partitions[0].holes, left.differences) == ([], 0)
    assert any("a crash now would need worker.on_lost_input" in warning for warning in left.warnings) == (
        snapshot_of(lived, "pump-1").next_offset < 20
    )
