"""Brokers that go away, transactions that time out, and a worker that was thought dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from detector.errors import FencedError
from tests.worker.support import Cluster, RunningWorker, kinds, make_settings, series_with_faults, straight

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]


def freeze(worker: RunningWorker, step: str) -> tuple[threading.Event, threading.Event]:
    """Hold the worker's next commit at a step, as a pause of the process would; (reached, go on)."""
    reached, go_on = threading.Event(), threading.Event()

    def announce(at: str) -> None:
        if at == step and not reached.is_set():
            reached.set()
            go_on.wait(60)

    worker.worker._commits._committer._announce = announce  # type: ignore[attr-defined]
    return reached, go_on


def stable_and_end(cluster: Cluster) -> tuple[int, int]:
    """Of partition 0 of the state topic, into which every commit writes: the last stable offset and the end."""
    partition = TopicPartition(f"{cluster.name}.state", 0)
    found = []
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = KafkaConsumer(bootstrap_servers=cluster.bootstrap, group_id=None, isolation_level=isolation)
        found.append(consumer.end_offsets([partition])[partition])
        consumer.close()
    return found[0], found[1]


def aborted(cluster: Cluster, before: int) -> bool:
    """Whether something was written since the end was at ``before``, and nothing of it is pending."""
    stable, end = stable_and_end(cluster)
    return end > before and stable == end


def test_a_broker_that_is_gone_for_longer_than_every_timeout(cluster: Cluster, run_worker: Start, broker: Any) -> None:
    records = series_with_faults(100, [(10, 15), (55, 65)])
    cluster.send("pump-1", records[:30])
    worker = run_worker(make_settings(cluster, transaction_timeout_seconds=3))
    worker.wait_committed(cluster, {0: 30})
    # What is pending now cannot be committed; its delivery, its transaction and the session all time out.
    reached, go_on = freeze(worker, "begun")
    cluster.send("pump-1", records[30:60])
    assert reached.wait(60)
    broker.stop()
    go_on.set()
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        assert worker.error is None
        time.sleep(0.2)
    broker.start()
    cluster.send("pump-1", records[60:])
    worker.wait_committed(cluster, {0: 100}, seconds=90)
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)


@pytest.mark.parametrize("step", ["all-sent", "offsets-sent"])
def test_a_transaction_that_the_broker_aborted_while_the_worker_was_paused(
    cluster: Cluster, run_worker: Start, step: str
) -> None:
    records = series_with_faults(60, [(10, 15), (40, 45)])
    cluster.send("pump-1", records[:30])
    worker = run_worker(make_settings(cluster, transaction_timeout_seconds=2))
    worker.worker._commits._committer._timeout_seconds = 60.0  # type: ignore[attr-defined] # the pause stops its clock too
    worker.wait_committed(cluster, {0: 30})
    _, before = stable_and_end(cluster)
    reached, go_on = freeze(worker, step)
    cluster.send("pump-1", records[30:])
    assert reached.wait(60)
    worker.wait_for(lambda: aborted(cluster, before), seconds=60)
    go_on.set()
    with pytest.raises(FencedError, match=r"longer than worker\.transaction_timeout_seconds, so start it again"):
        worker.wait_for(lambda: False)
    worker.parts.close()
    again = run_worker(make_settings(cluster, transaction_timeout_seconds=2))
    again.wait_committed(cluster, {0: 60})
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)


@pytest.mark.parametrize("step", ["begun", "all-sent", "offsets-sent"])
def test_a_zombie_that_wakes_up_in_the_middle_of_a_commit_writes_nothing(
    cluster: Cluster, run_worker: Start, step: str
) -> None:
    records = series_with_faults(60, [(10, 15), (40, 45)])
    cluster.send("pump-1", records[:30])
    zombie = run_worker()
    zombie.wait_committed(cluster, {0: 30})
    zombie.worker._commits._committer._timeout_seconds = 60.0  # type: ignore[attr-defined] # the pause stops its clock too
    reached, go_on = freeze(zombie, step)
    cluster.send("pump-1", records[30:50])
    assert reached.wait(60)
    successor = run_worker()  # under the same name, as an orchestrator starts it
    successor.wait_committed(cluster, {0: 50}, seconds=60)
    go_on.set()
    with pytest.raises(FencedError, match=r"worker\.instance"):
        zombie.wait_for(lambda: False)
    cluster.send("pump-1", records[50:])
    successor.wait_committed(cluster, {0: 60})
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)
