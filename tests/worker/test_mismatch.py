"""State, offsets, topics and bundles that do not fit each other: loud, with a way on, and never a loop of crashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions
from structlog.testing import capture_logs

from detector.errors import StateMismatchError
from detector.pipeline.context import StreamContext
from detector.state import control_key, decode_control, parse_key
from tests.worker.support import Cluster, RunningWorker, make_settings, series_with_faults

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]


def stop_in_an_open_incident(cluster: Cluster, run_worker: Start) -> None:
    """Forty records; the incident that opened at offset 31 goes on."""
    cluster.send("pump-1", series_with_faults(40, [(30, 50)]))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 40})
    worker.stop()
    assert [event.event for event in cluster.events()] == ["opened"]


def the_rest(cluster: Cluster) -> None:
    cluster.send("pump-1", series_with_faults(60, [(30, 50)])[40:])


def one_incident(cluster: Cluster) -> bool:
    opened, closed = cluster.events()
    return (opened.event, closed.event, closed.source.last_offset) == ("opened", "closed", 52) and (
        opened.incident_id == closed.incident_id
    )


def rewrite_state(cluster: Cluster, change: Callable[[list[Any]], list[Any]], kind: bytes = b"") -> None:
    """Write every record of partition 0 of the state topic again, changed, or only those whose keys begin so."""
    for item in {item.key: item for item in cluster.read(f"{cluster.name}.state") if item.partition == 0}.values():
        if not item.key.startswith(kind):
            continue
        value = msgspec.msgpack.encode(change(msgspec.msgpack.decode(item.value)))
        cluster.producer.send(f"{cluster.name}.state", key=item.key, value=value, partition=0)
    cluster.producer.flush()


def test_state_of_the_version_before_is_taken_over(cluster: Cluster, run_worker: Start) -> None:
    stop_in_an_open_incident(cluster, run_worker)
    # Version 1 had eight fields in the control record and the same four in a snapshot.
    rewrite_state(cluster, lambda fields: [1, *fields[1:8]])
    again = run_worker()
    the_rest(cluster)
    again.wait_committed(cluster, {0: 60})
    assert one_incident(cluster)
    assert len([epoch for epoch in cluster.epochs() if epoch.partition == 0]) == 1


def test_state_of_an_unknown_version_is_rebuilt_from_the_input(cluster: Cluster, run_worker: Start) -> None:
    stop_in_an_open_incident(cluster, run_worker)
    rewrite_state(cluster, lambda fields: [99, *fields[1:]])
    again = run_worker()
    the_rest(cluster)
    again.wait_committed(cluster, {0: 60})
    # The incident opened within the records that are read again, so it is known once more, under its id.
    assert one_incident(cluster)
    first, second = [epoch for epoch in cluster.epochs() if epoch.partition == 0]
    assert (second.from_offset, second.windows, second.windows_from) == (40, "rebuilt", 0)
    assert list(second.under_way) == ["pump-1"]
    assert (first.windows, first.under_way) == ("empty", {})


@pytest.mark.parametrize("damage", [lambda fields: "nonsense", lambda fields: [2, "no offset"]])
def test_damaged_state_stops_the_worker_until_somebody_accepts_the_loss(
    cluster: Cluster, run_worker: Start, damage: Callable[[list[Any]], Any]
) -> None:
    stop_in_an_open_incident(cluster, run_worker)
    rewrite_state(cluster, damage)
    refused = run_worker()
    with pytest.raises(StateMismatchError, match=r"damaged.*RECONSTREAM_WORKER__ON_LOST_STATE=rebuild"):
        refused.wait_for(lambda: False)
    refused.stop()
    again = run_worker(make_settings(cluster, on_lost_state="rebuild"))
    the_rest(cluster)
    again.wait_committed(cluster, {0: 60})
    assert one_incident(cluster)


@pytest.mark.parametrize("change", [lambda fields: "nonsense", lambda fields: [99, *fields[1:]]])
def test_a_snapshot_that_is_of_no_use_is_in_the_way_of_one_start_only(
    cluster: Cluster, run_worker: Start, change: Callable[[list[Any]], Any]
) -> None:
    stop_in_an_open_incident(cluster, run_worker)
    rewrite_state(cluster, change, b"s ")
    rebuilt = run_worker(make_settings(cluster, on_lost_state="rebuild"))
    rebuilt.wait_committed(cluster, {0: 40})
    rebuilt.stop()
    again = run_worker()
    the_rest(cluster)
    again.wait_committed(cluster, {0: 60})
    assert one_incident(cluster)
    assert [epoch.windows for epoch in cluster.epochs() if epoch.partition == 0] == ["empty", "rebuilt"]


def test_a_state_topic_that_was_emptied_stops_the_worker_until_somebody_accepts_the_loss(
    cluster: Cluster, run_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.worker.recovery.stored._MARKER_PATIENCE_SECONDS", 1.0)
    stop_in_an_open_incident(cluster, run_worker)
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    admin.delete_topics([f"{cluster.name}.state"])
    admin.close()
    refused = run_worker()
    message = r"committed offset 40 .*holds no state for it.*ON_LOST_STATE=rebuild .*the last 20000 records"
    with pytest.raises(StateMismatchError, match=message):
        refused.wait_for(lambda: False)
    refused.stop()
    again = run_worker(make_settings(cluster, on_lost_state="rebuild"))
    the_rest(cluster)
    again.wait_committed(cluster, {0: 60})
    assert one_incident(cluster)


def add_partitions(cluster: Cluster, total: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    topics = [cluster.input, *(f"{cluster.name}.{name}" for name in ("events", "dead-letters", "state", "epochs"))]
    admin.create_partitions({topic: NewPartitions(total) for topic in topics})
    admin.close()
    # A producer that knows the topic does not look for new partitions at once.
    cluster.producer.close()
    cluster.producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)


def test_new_partitions_stop_the_worker_until_somebody_accepts_that_keys_moved(
    cluster: Cluster, run_worker: Start
) -> None:
    # 'latest' is for the group's first start; what came to a new partition since is no history to be skipped.
    settings = make_settings(cluster, auto_offset_reset="latest")
    worker = run_worker(settings)
    worker.wait_for(lambda: len(worker.live) == 2)
    worker.wait_committed(cluster, {0: 0, 1: 0})
    cluster.send("pump-1", series_with_faults(20, []))
    worker.wait_committed(cluster, {0: 20})
    worker.stop()
    add_partitions(cluster, 3)
    cluster.send("pump-9", series_with_faults(40, [(10, 20)]), partition=2)

    refused = run_worker(settings)
    message = r"has 3 partitions, and had 2 when .*ON_NEW_PARTITIONS=continue.*detector repartition"
    with pytest.raises(StateMismatchError, match=message):
        refused.wait_for(lambda: False)
    refused.stop()
    going_on = run_worker(make_settings(cluster, auto_offset_reset="latest", on_new_partitions="continue"))
    going_on.wait_committed(cluster, {0: 20, 2: 40})
    assert [event.event for event in cluster.events()] == ["opened", "closed"]
    cluster.send("pump-1", series_with_faults(30, [])[20:])
    going_on.wait_committed(cluster, {0: 30})
    going_on.stop()
    controls = {
        item.partition: decode_control(item.value)
        for item in cluster.read(f"{cluster.name}.state")
        if parse_key(item.key)[1] is None and item.key == control_key("pumps")
    }
    assert (controls[0].partitions, controls[0].began_partitions, controls[2].began_partitions) == (3, 2, 3)
    cluster.send("pump-1", series_with_faults(40, [])[30:])
    run_worker(settings).wait_committed(cluster, {0: 40})  # accepted once is enough


def other_model(context: StreamContext, length: int | None = None) -> StreamContext:
    spec = context.spec if length is None else replace(context.spec, length=length)
    return replace(context, spec=spec, identity=replace(context.identity, model="1" * 64))


@pytest.mark.parametrize(("length", "windows"), [(None, "carried"), (5, "rebuilt")])
def test_another_model_takes_over_under_a_running_worker(
    cluster: Cluster, run_worker: Start, length: int | None, windows: str
) -> None:
    cluster.send("pump-1", series_with_faults(40, [(30, 50)]))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 40})
    replaced: list[dict[str, StreamContext]] = []
    now = worker.contexts[cluster.input]
    replaced.append({cluster.input: other_model(now, length)})
    worker.worker._reloaded = lambda: replaced.pop() if replaced else {}
    with capture_logs() as logs:
        worker.wait_for(lambda: not replaced)
        the_rest(cluster)
        worker.wait_committed(cluster, {0: 60})
    # It was wanted, so nobody is warned; and nothing is said of windows that are kept.
    told = [log for log in logs if "windows" in log["event"]]
    assert [log["log_level"] for log in told] == ["info"] * len(told)
    assert bool(told) is (windows == "rebuilt")
    # The open incident keeps its id: it is the same fault.
    assert one_incident(cluster)
    first, second = [epoch for epoch in cluster.epochs() if epoch.partition == 0]
    assert (first.model, second.model) == ("0" * 64, "1" * 64)
    assert (second.from_offset, second.windows, list(second.under_way)) == (40, windows, ["pump-1"])
    # Replay under the new model can begin soon after it took over.
    checkpoint = cluster.checkpoints()[-1]
    assert (checkpoint.control.model, checkpoint.begun_offset >= 40) == ("1" * 64, True)
