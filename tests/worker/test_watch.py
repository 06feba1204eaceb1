"""Silence and frozen channels under a real worker: a restart in the middle, and an audit afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import StandingPolicy
from detector.pipeline.context import StreamContext
from detector.records.values import InputPartition
from detector.replay import EventTimeRange, replay
from detector.series.frozen import FreezeLimits
from detector.settings import Settings
from tests.worker.support import SECOND_NS, Cluster, RunningWorker, make_context, make_settings, record

pytestmark = pytest.mark.kafka


def watching(settings: Settings, cluster_id: str) -> StreamContext:
    lasting = StandingPolicy(1.5, 6 * SECOND_NS)
    return replace(
        make_context(settings, cluster_id),
        silence=SilencePolicy(10 * SECOND_NS, lasting),
        freezes=FreezeLimits((5, float("inf"))),
        frozen=lasting,
    )


def start(cluster: Cluster, settings: Settings) -> RunningWorker:
    return RunningWorker(settings, lambda cluster_id: {cluster.input: watching(settings, cluster_id)})


def told(events: list[Any]) -> list[tuple[Any, ...]]:
    return [(e.kind, e.event, e.series, e.close_reason) for e in events]


@pytest.mark.parametrize("cluster", [1], indirect=True)
@pytest.mark.parametrize("end", ["stop", "abandon"])
def test_a_restart_goes_on_with_both_and_a_replay_tells_the_same(cluster: Cluster, end: str) -> None:
    settings = make_settings(cluster)
    cluster.send("stops", [record(0, 0.1)])
    for second in range(20):
        level = 0.5 if second >= 8 else second / 1000
        for series in ("one", "two"):
            cluster.send(series, [record(second, level if series == "one" else second / 1000)])
    worker = start(cluster, settings)
    worker.wait_committed(cluster, {0: 41})
    worker.wait_for(lambda: worker.value("incidents_open", stream="pumps", kind="silence", severity="critical") == 1)
    assert worker.value("anomalies_total", stream="pumps", kind="frozen", severity="warning") == 1
    getattr(worker, end)()
    assert told(cluster.events()) == [
        ("silence", "opened", "stops", None), ("frozen", "opened", "one", None),
        ("frozen", "updated", "one", None), ("silence", "updated", "stops", None),
    ]  # fmt: skip
    assert [event.severity for event in cluster.events()] == ["warning", "warning", "critical", "critical"]

    again = start(cluster, settings)
    try:
        again.wait_for(lambda: again.value("incidents_open", stream="pumps", kind="frozen", severity="critical") == 1)
        assert again.value("incidents_open", stream="pumps", kind="silence", severity="critical") == 1
        for second in range(20, 25):
            for series in ("one", "two"):
                cluster.send(series, [record(second, second / 100)])
        cluster.send("stops", [record(24, 0.2)])
        again.wait_committed(cluster, {0: 52})
    finally:
        again.stop()
    events = cluster.events()
    assert told(events)[4:] == [
        ("frozen", "closed", "one", "moved"), ("silence", "updated", "stops", None),
        ("silence", "closed", "stops", "resumed"),
    ]  # fmt: skip
    frozen, silent = events[1].incident_id, events[0].incident_id
    assert [e.incident_id for e in events[2:]] == [frozen, silent, frozen, silent, silent]
    partition = InputPartition(cluster.input, 0)
    context = watching(settings, events[0].source.cluster)
    replayed = replay([(partition, cluster.read(cluster.input))], {cluster.input: context}, EventTimeRange())
    assert replayed.events == events


@pytest.mark.parametrize("cluster", [1], indirect=True)
def test_an_audit_agrees(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.audit import support

    made: Callable[..., StreamContext] = support.make_context
    monkeypatch.setattr(
        support,
        "make_context",
        lambda *args, **policy: replace(
            made(*args, **policy), silence=SilencePolicy(10 * SECOND_NS), freezes=FreezeLimits((5, float("inf")))
        ),
    )
    cluster.send("stops", [record(0, 0.1)])
    for second in range(20):
        for series in ("one", "two"):
            cluster.send(series, [record(second, 0.5 if series == "one" else second / 1000)])
    worker = support.start_worker(cluster)
    worker.wait_committed(cluster, {0: 41})
    worker.abandon()
    worker = support.start_worker(cluster)
    cluster.send("stops", [record(20, 0.1)])
    worker.wait_committed(cluster, {0: 42})
    worker.stop()
    assert told(cluster.events()) == [
        ("frozen", "opened", "one", None), ("silence", "opened", "stops", None),
        ("silence", "closed", "stops", "resumed"),
    ]  # fmt: skip
    report = support.audit(cluster)
    assert (list(report.findings), report.undetermined, report.partitions[0].events) == ([], False, 3)
