"""A worker that slept for too long looks at a partition that others move on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from detector.errors import StateMismatchError
from detector.kafka.client import consumer_config
from detector.kafka.members import is_member
from detector.kafka.source import GroupSource
from detector.settings import KafkaSettings, WorkerSettings
from tests.worker.support import Cluster, RunningWorker, make_settings, series_with_faults

pytestmark = pytest.mark.kafka


def contradicts(worker: RunningWorker, times: int) -> None:
    """Let the next restorations find state and offsets apart."""
    recovery = worker.worker._restorations._recovery
    restore, left = recovery.restore, [times]

    def contradicting(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise StateMismatchError("state and offsets are apart")
            yield
        yield from restore(*arguments)

    recovery.restore = contradicting  # type: ignore[method-assign]


def test_a_contradiction_is_no_business_of_a_worker_that_was_expelled(
    cluster: Cluster, run_worker: Callable[..., RunningWorker]
) -> None:
    worker = run_worker()
    worker.wait_committed(cluster, {})
    contradicts(worker, 1)
    worker.worker._restorations._is_member = lambda membership: False
    cluster.send("pump", series_with_faults(20, [(5, 9)]))
    worker.wait_committed(cluster, {0: 20})
    assert worker.error is None
    assert len(cluster.events()) == 2


def test_a_contradiction_ends_a_worker_that_is_a_member(
    cluster: Cluster, run_worker: Callable[..., RunningWorker]
) -> None:
    worker = run_worker()
    contradicts(worker, 1)
    with pytest.raises(StateMismatchError, match="apart"):
        worker.wait_for(lambda: False)


def test_the_group_is_asked(broker: Any, topic_name: str, create_topic: Any) -> None:
    create_topic(topic_name)
    settings = KafkaSettings(bootstrap_servers=(broker.bootstrap,))
    memberships = []
    sources = []
    for _ in range(2):  # the second process takes the first one's place
        worker = WorkerSettings(group=topic_name, instance="one", session_timeout_seconds=6)
        sources.append(GroupSource(consumer_config(settings), worker, [topic_name]))
        while not (poll := sources[-1].poll(0.2)).assigned:
            pass
        memberships.append(poll.membership)
        assert is_member(settings, topic_name, poll.membership)
    assert not is_member(settings, topic_name, memberships[0])
    for source in sources:
        source.close()


def test_an_offset_that_is_a_moment_behind_the_state_is_asked_for_again(
    cluster: Cluster, run_worker: Callable[..., RunningWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.send("pump", series_with_faults(20, [(5, 9)]))
    first = run_worker(make_settings(cluster, static_membership=False))
    first.wait_committed(cluster, {0: 20})
    first.stop()
    committed = GroupSource.committed
    answers: list[int | None] = []

    def behind(self: GroupSource, partition: Any) -> int | None:
        offset = committed(self, partition)
        answers.append(15 if offset == 20 and answers.count(15) < 2 else offset)
        return answers[-1]

    monkeypatch.setattr(GroupSource, "committed", behind)
    again = run_worker(make_settings(cluster, static_membership=False))
    cluster.send("pump", series_with_faults(20, [(5, 9)])[:1])
    again.wait_committed(cluster, {0: 21})
    assert answers.count(15) == 2
    assert again.error is None
