"""The live worker against a real broker: what comes out, once, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from detector.errors import BadInputLimitError, FencedError, StateMismatchError
from detector.kafka.client import producer_config
from detector.kafka.committer import CommitResult
from detector.kafka.transactions import TransactionalCommitter
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, replay
from tests.worker.support import (
    START_MS,
    Cluster,
    RunningWorker,
    kinds,
    make_context,
    make_settings,
    record,
    series_with_faults,
    straight,
)

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]


def test_one_fault_is_one_incident_with_its_channel_and_offsets(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(30, [(10, 15)]))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 30})
    opened, closed = cluster.events()

    assert (opened.event, opened.series, opened.severity) == ("opened", "pump-1", "warning")
    # open_after is 2: the second sample above the threshold opens, the first one started it.
    assert opened.source.opened_offset == 11
    assert opened.started_at == "2023-11-14T22:13:30.000Z"
    assert [detail.channel for detail in opened.channels][:1] == ["a"]
    assert (opened.channels[0].seen, opened.channels[0].expected) == (3.0, 0.0)
    # close_after is 3: quiet from offset 15 on, over at 17.
    assert (closed.event, closed.source.last_offset, closed.close_reason) == ("closed", 17, "quiet")
    assert closed.incident_id == opened.incident_id
    assert worker.value("anomalies_total", stream="pumps", kind="reconstruction", severity="warning") == 1
    assert worker.value("windows_scored_total", stream="pumps") == 28


def test_series_and_partitions_do_not_mix(cluster: Cluster, run_worker: Start) -> None:
    for number in range(4):
        cluster.send(f"pump-{number}", series_with_faults(20, [(10, 14)] if number % 2 else []), partition=number % 2)
    worker = run_worker()
    worker.wait_committed(cluster, {0: 40, 1: 40})
    events = cluster.events()
    assert {event.series for event in events} == {"pump-1", "pump-3"}
    assert kinds(events, "pump-1") == kinds(events, "pump-3") == ["opened", "closed"]
    assert {event.source.partition for event in events} == {1}


def test_bad_records_become_dead_letters_and_change_nothing_else(cluster: Cluster, run_worker: Start) -> None:
    good = series_with_faults(20, [(10, 14)])
    late, duplicate = record(3, 9.0), record(19, 9.0)
    cluster.send("pump-1", good[:5])
    cluster.send("pump-1", [(START_MS, b"\xff\xfe"), (START_MS, b"{"), (START_MS, b"[1]"), (START_MS, None)])
    cluster.send(
        "pump-1", [(START_MS, b'{"a": "much", "b": 1}'), (START_MS, b'{"c": 1}'), (START_MS, b'{"a": Infinity}')]
    )
    cluster.send(None, [record(5, 1.0)])
    cluster.send("pump-1", [*good[5:], late, duplicate])
    worker = run_worker()
    worker.wait_committed(cluster, {0: 30})

    letters = cluster.dead_letters()
    headers = [dict(letter.headers) for letter in letters]
    assert [h["reconstream-reason"].decode() for h in headers] == [
        "not_utf8", "not_json", "not_an_object", "null_value",
        "not_a_number", "no_channels", "not_finite", "missing_series",
    ]  # fmt: skip
    assert [int(h["reconstream-offset"]) for h in headers] == list(range(5, 13))
    assert letters[0].value == b"\xff\xfe"
    assert letters[0].key == b"pump-1"
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]
    assert worker.value("records_rejected_total", stream="pumps", reason="not_json") == 1
    assert worker.value("records_late_total", stream="pumps") == 1
    assert worker.value("records_duplicate_total", stream="pumps") == 1
    assert worker.value("dead_letters_total", stream="pumps") == 8


def test_missing_null_and_nan_channels_are_masked_not_zero(cluster: Cluster, run_worker: Start) -> None:
    # Channel b alone is at fault; it is missing, null or NaN in between, which must neither open nor close anything.
    fault = [
        b'{"a": 0, "b": 3}',
        b'{"a": 0, "b": 3}',
        b'{"a": 0, "b": null}',
        b'{"a": 0}',
        b'{"a": 0, "b": NaN}',
        b'{"a": 0, "b": 3}',
    ]
    values = [b'{"a": 0, "b": 0}'] * 5 + fault + [b'{"a": 0, "b": 0}'] * 6
    cluster.send("pump-1", [(START_MS + 1000 * i, value) for i, value in enumerate(values)])
    worker = run_worker()
    worker.wait_committed(cluster, {0: len(values)})
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]
    assert cluster.dead_letters() == []


@pytest.mark.parametrize("graceful", [True, False], ids=["drained", "crashed"])
def test_restarts_in_mid_stream_neither_lose_nor_repeat(cluster: Cluster, run_worker: Start, graceful: bool) -> None:
    faults = [(10, 15), (38, 45), (60, 70), (90, 91)]  # the second and third straddle the restarts
    records = series_with_faults(120, faults)
    settings = make_settings(cluster, state={"max_replay_records": 100})
    for cut in (range(40), range(40, 65), range(65, 120)):
        cluster.send("pump-1", [records[i] for i in cut])
        worker = run_worker(settings)
        worker.wait_committed(cluster, {0: cut.stop})
        worker.stop() if graceful else worker.abandon()
    live = cluster.events()
    assert kinds(live, "pump-1") == ["opened", "closed"] * 3
    assert live == straight(cluster)


def test_a_partition_that_is_silent_is_watched_by_its_next_owner_too(cluster: Cluster, run_worker: Start) -> None:
    """Else a restart would end the alert on it for good."""
    cluster.send("pump-1", series_with_faults(20, []))
    first = run_worker(make_settings(cluster))
    first.wait_committed(cluster, {0: 20})
    first.stop()
    again = run_worker(make_settings(cluster))
    again.wait_committed(cluster, {0: 20, 1: 0})
    heard = "reconstream_partition_last_record_timestamp_seconds"
    found = [
        again.registry.get_sample_value(heard, {"stream": "pumps", "topic": cluster.input, "partition": partition})
        for partition in ("0", "1")
    ]
    assert found[0] is not None
    assert found[1] is None


def test_live_equals_replay_whatever_the_batches(cluster: Cluster, run_worker: Start) -> None:
    for number in range(3):
        faults = [(20 + 7 * number, 30 + 7 * number), (60, 62)]
        cluster.send(f"pump-{number}", series_with_faults(100, faults), partition=number % 2)
    settings = make_settings(cluster, max_poll_records=7, commit_records=10)
    worker = run_worker(settings)
    worker.wait_committed(cluster, {0: 200, 1: 100})
    live = cluster.events()
    assert len(live) == 12
    assert live == straight(cluster)
    context = make_context(settings, live[0].source.cluster)
    for size in (1, 3, 1000):
        records = cluster.read(cluster.input)
        cut = [
            (InputPartition(cluster.input, p), part[i : i + size])
            for p in (0, 1)
            for part in [[r for r in records if r.partition == p]]
            for i in range(0, len(part), size)
        ]
        assert replay(cut, {cluster.input: context}, EventTimeRange()).events == live


def test_a_second_worker_takes_over_and_the_events_are_those_of_one(cluster: Cluster, run_worker: Start) -> None:
    records = series_with_faults(100, [(20, 60)])
    for partition in (0, 1):
        cluster.send(f"pump-{partition}", records[:40], partition)
    first = run_worker(make_settings(cluster, instance="one"))
    first.wait_committed(cluster, {0: 40, 1: 40})
    second = run_worker(make_settings(cluster, instance="two"))
    second.wait_for(lambda: len(second.live) == len(first.live) == 1)
    for partition in (0, 1):
        cluster.send(f"pump-{partition}", records[40:70], partition)
    for worker in (first, second):
        worker.wait_committed(cluster, {p.partition: 70 for p in worker.live})
    first.stop()
    # A static member's partitions move only after its session has timed out.
    second.wait_for(lambda: len(second.live) == 2, seconds=40)
    for partition in (0, 1):
        cluster.send(f"pump-{partition}", records[70:], partition)
    second.wait_committed(cluster, {0: 100, 1: 100})
    live = cluster.events()
    assert kinds(live, "pump-0") == kinds(live, "pump-1") == ["opened", "closed"]
    assert live == straight(cluster)


@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
def test_an_expired_member_that_tries_to_commit_is_refused(cluster: Cluster, run_worker: Start, static: bool) -> None:
    settings = make_settings(cluster, static_membership=static, max_poll_interval_seconds=6.5)
    cluster.send("pump-1", series_with_faults(40, [(10, 15)]))
    zombie = run_worker(settings)
    zombie.wait_committed(cluster, {0: 40})
    membership = zombie.worker._source.poll  # its polls stop now: the loop is held inside a commit
    held = []

    real_commit = zombie.worker.commit

    def hold(membership: Any) -> CommitResult:
        held.append(membership)
        other.wait_for(lambda: other.live.keys() >= {InputPartition(cluster.input, 0)}, seconds=40)
        other.wait_committed(cluster, {0: 80}, seconds=40)
        result = real_commit(membership)
        held.append(result)
        return result

    del membership
    zombie.worker.commit = hold  # type: ignore[method-assign]
    other = run_worker(make_settings(cluster, instance="two", static_membership=static, max_poll_interval_seconds=6.5))
    cluster.send("pump-1", series_with_faults(80, [(10, 15), (50, 55)])[40:])
    zombie.wait_for(lambda: len(held) == 2, seconds=90)
    assert held[1] is not CommitResult.COMMITTED
    assert cluster.events() == straight(cluster)
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2


def test_a_producer_under_the_same_transactional_id_fences_the_worker(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster)
    cluster.send("pump-1", series_with_faults(10, []))
    worker = run_worker(settings)
    worker.wait_committed(cluster, {0: 10})
    usurper = TransactionalCommitter(producer_config(settings.kafka), f"{settings.worker.group}.one", 10.0)
    usurper.open()
    cluster.send("pump-1", series_with_faults(20, [])[10:])
    with pytest.raises(FencedError, match=r"worker\.instance"):
        worker.wait_for(lambda: False)
    usurper.close()


def test_a_commit_with_unknown_outcome_is_not_tried_again_but_read_back(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(50, [(10, 15)]))
    worker = run_worker()
    committer = worker.worker._commits._committer
    calls = []
    real = committer._transact  # type: ignore[attr-defined]

    def fail_after_commit(*args: Any) -> None:
        real(*args)
        calls.append(args)
        if len(calls) == 1:
            raise TimeoutError  # committed, but the answer was lost

    committer._transact = fail_after_commit  # type: ignore[attr-defined]
    worker.wait_committed(cluster, {0: 50})
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]
    assert worker.value("commits_total", outcome="unknown") == 1
    assert cluster.events() == straight(cluster)


def test_a_broker_that_goes_away_and_comes_back(cluster: Cluster, run_worker: Start, broker: Any) -> None:
    records = series_with_faults(100, [(10, 15), (55, 65)])
    cluster.send("pump-1", records[:60])
    worker = run_worker()
    worker.wait_committed(cluster, {0: 60})
    broker.stop()
    with pytest.raises(AssertionError, match="did not get there"):
        worker.wait_for(lambda: False, seconds=3)
    broker.start()
    cluster.send("pump-1", records[60:])
    worker.wait_committed(cluster, {0: 100}, seconds=60)
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)


def test_nothing_but_garbage_stops_the_worker_uncommitted(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", [(START_MS, b"garbage")] * 60)
    settings = make_settings(cluster, bad_records={"max_run": 50}, commit_interval_seconds=5)
    worker = run_worker(settings)
    # On a busy machine they may come in several polls: it stops with the one in which the limit is reached.
    says = r"\b(5\d|60) records in a row .* \(not_json [1-6]?\d\).*worker\.bad_records"
    with pytest.raises(BadInputLimitError, match=says):
        worker.wait_for(lambda: False)
    worker.parts.close()
    assert cluster.dead_letters() == []


def test_mostly_garbage_stops_the_worker_too(cluster: Cluster, run_worker: Start) -> None:
    good = series_with_faults(20, [])
    mixed = [item for i in range(20) for item in [good[i], *[(START_MS, b"garbage")] * 19]]
    cluster.send("pump-1", mixed)
    worker = run_worker(make_settings(cluster, bad_records={"ratio_records": 300}, commit_interval_seconds=5))
    with pytest.raises(BadInputLimitError, match=r"380 of the last 400 records"):
        worker.wait_for(lambda: False)


def test_state_that_is_gone_is_said_not_guessed(
    cluster: Cluster, run_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.worker.recovery.stored._MARKER_PATIENCE_SECONDS", 0.5)
    cluster.send("pump-1", series_with_faults(10, []))
    worker = run_worker()
    worker.wait_committed(cluster, {0: 10})
    worker.stop()
    settings = make_settings(cluster)
    moved = settings.model_copy(
        update={"topics": settings.topics.model_copy(update={"state": f"{cluster.name}.other-state"})}
    )
    again = run_worker(moved)
    with pytest.raises(StateMismatchError, match=r"committed offset 10 .* holds no state for it.*worker\.group"):
        again.wait_for(lambda: False)


def test_an_epoch_says_from_where_on_a_model_holds(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(20, []))
    first = run_worker()
    first.wait_committed(cluster, {0: 20})
    first.stop()
    again = run_worker()  # the same model: no new epoch
    cluster.send("pump-1", series_with_faults(30, [])[20:])
    again.wait_committed(cluster, {0: 30})
    epochs = cluster.epochs()
    assert [(e.stream, e.partition, e.from_offset, e.model, e.windows) for e in epochs if e.partition == 0] == [
        ("pumps", 0, 0, "0" * 64, "empty")
    ]


def test_at_least_once_delivers_the_same_events(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(50, [(10, 15)]))
    worker = run_worker(make_settings(cluster, delivery="at_least_once"))
    worker.wait_committed(cluster, {0: 50})
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"]
    worker.stop()
    again = run_worker(make_settings(cluster, delivery="at_least_once"))
    cluster.send("pump-1", series_with_faults(70, [(55, 60)])[50:])
    again.wait_committed(cluster, {0: 70})
    assert cluster.events() == straight(cluster)


def test_tall_records_are_assembled_by_event_time(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster)
    stream = settings.streams[0]
    tall = settings.model_copy(
        update={"streams": (stream.model_copy(update={"record": stream.record.model_copy(update={"layout": "tall"})}),)}
    )
    values = [(second, 3.0 if 10 <= second < 15 else 0.1) for second in range(30)]
    for second, value in values:
        for channel, reading in (("b", 0.0), ("a", value), ("unknown", 99.0)):
            document = json.dumps({"channel": channel, "value": reading}).encode()
            cluster.send("pump-1", [(START_MS + second * 1000, document)])
    worker = run_worker(tall)
    worker.wait_committed(cluster, {0: 90})
    opened, closed = cluster.events()
    assert (opened.event, opened.started_at, closed.event) == ("opened", "2023-11-14T22:13:30.000Z", "closed")
    assert worker.value("records_ignored_total", stream="pumps") == 30
