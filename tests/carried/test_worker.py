"""What a model carries along, on a real broker: restarts, other models and settings, checkpoints, audit."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from detector.audit.report import AuditReport
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.lived.past import Past
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, replay
from tests.audit.support import FIRST, SECOND, Start, audit, changed, context_of
from tests.carried.conftest import remembering
from tests.worker.support import Cluster, make_settings, series_with_faults

pytestmark = pytest.mark.kafka
ROWS = series_with_faults(200, [(40, 48), (60, 66), (80, 92), (110, 116), (130, 150), (170, 176)], level=2.5)
"""The mean that is remembered follows the long faults, so that scores fall while they last and rise behind them."""


def assert_clean(report: AuditReport) -> None:
    assert list(report.findings) == []
    assert not report.undetermined, report.partitions
    assert report.totals()["snapshots"] > 0


def straight(cluster: Cluster, cluster_id: str) -> list[Any]:
    """Events of one uninterrupted pass over the first partition."""
    settings = make_settings(cluster)
    context = context_of(settings.streams[0], settings, cluster_id, FIRST, remembering)
    records = [item for item in cluster.read(cluster.input) if item.partition == 0]
    return replay([(InputPartition(cluster.input, 0), records)], {cluster.input: context}, EventTimeRange()).events


def test_crashes_change_no_event(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster, state={"max_replay_records": 100, "max_resident_series": 1})
    for number, start in enumerate(range(0, 200, 50)):
        for series in ("pump-1", "pump-2"):
            cluster.send(series, ROWS[start : start + 50])
        worker = run_worker(settings)
        worker.wait_committed(cluster, {0: 2 * start + 100})
        if number % 2:
            worker.stop()
        else:
            worker.abandon()
    events = cluster.events()
    assert len(events) > 8
    assert events == straight(cluster, events[0].source.cluster)
    assert_clean(audit(cluster, settings, scorer_of=remembering))


def test_other_models_and_settings_between_restarts(cluster: Cluster, run_worker: Start) -> None:
    """Each change falls into a fault; once the worker starts again soon after one."""
    settings = make_settings(cluster)
    stricter = changed(settings, "incidents", threshold=2.0)
    done = 0
    for chosen, model, upto in (
        (settings, FIRST, 44), (settings, SECOND, 62), (settings, SECOND, 64), (stricter, SECOND, 135),
        (settings, FIRST, 200),
    ):  # fmt: skip
        cluster.send("pump-1", ROWS[done:upto])
        worker = run_worker(chosen, model)
        worker.wait_committed(cluster, {0: upto})
        worker.stop()
        done = upto
    epochs = [(epoch.from_offset, epoch.memory_from) for epoch in cluster.epochs() if epoch.partition == 0]
    assert epochs == [(0, 0), (44, 44), (64, 44), (135, 135)]
    report = audit(cluster, scorer_of=remembering)
    assert_clean(report)
    assert report.totals()["events"] > 6


def test_a_model_that_is_swapped_while_the_worker_runs(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster)
    worker = run_worker()
    done, models = 0, [SECOND, FIRST]
    for upto in (60, 125, 170):
        cluster.send("pump-1", ROWS[done:upto])
        worker.wait_committed(cluster, {0: upto})
        done = upto
        if models:
            old = worker.contexts[cluster.input]
            new = context_of(settings.streams[0], settings, old.identity.cluster, models.pop(0), remembering)
            worker.reload(cluster.input, new)
    worker.abandon()
    again = run_worker(settings, FIRST)
    cluster.send("pump-1", ROWS[170:])
    again.wait_committed(cluster, {0: 200})
    again.stop()
    report = audit(cluster, scorer_of=remembering)
    assert_clean(report)
    assert [offset for offset, _ in report.partitions[0].epochs] == [0, 60, 125]


def test_replay_and_audit_begin_at_a_checkpoint_and_otherwise_say_what_they_do_not_know(
    cluster: Cluster, run_worker: Start
) -> None:
    settings = make_settings(cluster, state={"checkpoint_interval_seconds": 0.01})
    worker = run_worker(settings)
    for start in range(0, 200, 40):
        cluster.send("pump-1", ROWS[start : start + 40])
        worker.wait_committed(cluster, {0: start + 40})
    worker.stop()
    assert_clean(audit(cluster, settings, scorer_of=remembering, from_offset=110))

    events = cluster.events()
    partition = InputPartition(cluster.input, 0)
    context = context_of(settings.streams[0], settings, events[0].source.cluster, FIRST, remembering)
    history = History(consumer_config(settings.kafka))
    try:
        past = Past(settings, history)
        place = past.checkpoint(partition, context, 110, 0)
        assert place is not None
        begun = past.begin(partition, context, place)
        rest = [item for item in cluster.read(cluster.input) if item.offset >= place.next_offset]
        found = replay([(partition, rest)], {cluster.input: context}, EventTimeRange(), begun={partition: begun})
    finally:
        history.close()
    assert found.events == [event for event in events if event.source.last_offset >= place.next_offset]
    assert not found.undetermined


def test_an_audit_that_has_only_a_look_back_calls_nothing_a_difference(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", ROWS)
    worker = run_worker(make_settings(cluster, state={"checkpoint_interval_seconds": 3600}))
    worker.wait_committed(cluster, {0: 200})
    worker.stop()
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    admin.delete_records({TopicPartition(cluster.input, 0): 20})  # the beginning is known no more
    admin.close()
    report = audit(cluster, scorer_of=remembering, from_offset=110, look_back=60)
    assert report.differences == 0
    assert report.undetermined
    # Had the past been known, these would be what they are: differences.
    assert any(finding.kind == "different" and not finding.certain for finding in report.findings)
