"""Members that come, go, and come too late, while records flow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from detector.kafka.committer import CommitResult
from detector.kafka.membership import Membership
from detector.records.values import InputPartition
from detector.restoring.progress import Progress
from detector.scoring.scores import Scores
from detector.series.carried import States
from detector.series.values import WindowBatch
from tests.support.waiting import until
from tests.worker.support import (
    Cluster,
    MagnitudeScorer,
    RunningWorker,
    kinds,
    make_settings,
    series_with_faults,
    straight,
)

pytestmark = pytest.mark.kafka

Start = Callable[..., RunningWorker]
PARTITIONS = 6
RECORDS = [*series_with_faults(1500, [(at, at + 10) for at in range(20, 1500, 50)])]

KEPT_BACK = 100
"""Records for what follows the last rebalance."""


class Flow:
    """Sends the next few records of every partition's series whenever it is asked to."""

    def __init__(self, cluster: Cluster, partitions: int) -> None:
        self._cluster = cluster
        self._partitions = partitions
        self.sent = 0

    def send(self, count: int = 5) -> None:
        for partition in range(self._partitions):
            self._cluster.send(f"pump-{partition}", RECORDS[self.sent : self.sent + count], partition)
        self.sent += count

    def until(self, what: Callable[[], bool], workers: list[RunningWorker], seconds: float = 60.0) -> None:
        def go_on() -> None:
            for worker in workers:
                worker.check()
            if self.sent < len(RECORDS) - KEPT_BACK:  # else the machine is slow, and it takes patience alone
                self.send()
                time.sleep(0.1)  # about so fast do records come

        until(what, seconds=seconds, meanwhile=go_on)


def owned(*workers: RunningWorker) -> list[int]:
    return [len(worker.live) for worker in workers]


def committed(*workers: RunningWorker) -> dict[int, int]:
    return {p.partition: live.committed for w in workers for p, live in w.live.items()}


@pytest.mark.parametrize("cluster", [PARTITIONS], indirect=True)
@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
def test_a_third_worker_joins_and_leaves_while_records_flow(cluster: Cluster, run_worker: Start, static: bool) -> None:
    def start(name: str) -> RunningWorker:
        return run_worker(make_settings(cluster, instance=name, static_membership=static, max_poll_records=50))

    flow = Flow(cluster, PARTITIONS)
    flow.send()
    one, two = start("one"), start("two")
    flow.until(lambda: owned(one, two) == [3, 3], [one, two])
    three = start("three")
    flow.until(lambda: owned(one, two, three) == [2, 2, 2], [one, two, three])
    moved = set(three.live)
    flow.until(lambda: all(at >= flow.sent - 20 for at in committed(three).values()), [one, two, three])
    three.stop()
    # A static member's partitions move only after its session has timed out.
    flow.until(lambda: owned(one, two) == [3, 3], [one, two])
    assert moved <= set(one.live) | set(two.live)
    flow.send()
    ends = dict.fromkeys(range(PARTITIONS), flow.sent)
    one.wait_for(lambda: committed(one, two) == ends)
    events = cluster.events()
    assert {kind for p in range(PARTITIONS) for kind in kinds(events, f"pump-{p}")} == {"opened", "closed"}
    assert events == straight(cluster)


def test_a_dynamic_member_that_missed_the_poll_interval_drops_its_work_and_goes_on(
    cluster: Cluster, run_worker: Start
) -> None:
    class SlowOnce(MagnitudeScorer):
        slow = False

        def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
            if self.slow:
                SlowOnce.slow = False
                time.sleep(9)
            return super().score(batch, states)

    records = series_with_faults(60, [(10, 15), (40, 45)])
    worker = run_worker(
        make_settings(cluster, static_membership=False, max_poll_interval_seconds=6.5), scorer=SlowOnce()
    )
    cluster.send("pump-1", records[:30])
    worker.wait_committed(cluster, {0: 30})
    SlowOnce.slow = True
    cluster.send("pump-1", records[30:])
    worker.wait_committed(cluster, {0: 60}, seconds=60)
    assert worker.value("commits_total", outcome="refused") + worker.value("commits_total", outcome="unknown") >= 1
    assert worker.value("polls_late_total") >= 1
    assert kinds(cluster.events(), "pump-1") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)


def test_a_membership_that_the_group_does_not_know_commits_nothing(cluster: Cluster, run_worker: Start) -> None:
    worker = run_worker(make_settings(cluster, static_membership=False))
    cluster.send("pump-1", series_with_faults(30, []))
    worker.wait_committed(cluster, {0: 30})
    results: list[tuple[CommitResult, int | None]] = []
    real = worker.worker.commit

    def commit_as_a_stranger(membership: Membership) -> CommitResult:
        if results:
            return real(membership)
        # As kafka-python reports it after a missed poll interval; a broker lets it through without fencing.
        nobody = Membership(membership.metadata._replace(generation_id=-1, member_id=""))
        result = real(nobody)
        offset = worker.worker._source.committed(InputPartition(cluster.input, 0))
        results.append((result, offset))
        return result

    worker.worker.commit = commit_as_a_stranger  # type: ignore[method-assign]
    cluster.send("pump-1", series_with_faults(60, [(40, 45)])[30:])
    worker.wait_committed(cluster, {0: 60})
    assert results == [(CommitResult.UNKNOWN, 30)]
    assert cluster.events() == straight(cluster)


def test_a_slow_scorer_makes_polls_smaller(cluster: Cluster, run_worker: Start) -> None:
    skew = [0.0]
    sizes: list[int] = []

    class Slow(MagnitudeScorer):
        def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
            skew[0] += 0.02 * len(batch.series)
            sizes.append(len(batch.series))
            return super().score(batch, states)

    worker = run_worker(scorer=Slow())
    worker.wait_for(lambda: len(worker.live) == 2)
    # The loop's clock runs on while it scores: a fiftieth of a second for each window.
    worker.worker._monotonic = lambda: time.monotonic() + skew[0]
    cluster.send("pump-1", series_with_faults(2000, []))
    worker.wait_committed(cluster, {0: 2000})
    # 50 windows are a second's work.
    assert 25 <= worker.value("poll_records_limit") <= 51
    assert max(sizes[-5:]) <= 51


def test_a_new_assignment_is_taken_while_a_long_restoration_goes_on(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster)
    worker = run_worker(settings)
    cluster.send("pump-1", series_with_faults(30, []))
    worker.wait_committed(cluster, {0: 30, 1: 0})
    loop = worker.worker
    restore = loop._restorations._recovery.restore
    generations: list[int] = []
    polled = loop._source.poll

    def poll(timeout_seconds: float, max_records: int) -> Any:
        found = polled(timeout_seconds, max_records)
        generations.append(found.membership.metadata.generation_id)
        return found

    def slow(partition: InputPartition, context: Any) -> Any:
        if partition.partition == 1:
            loop._source.rejoin()
            for step in range(60):
                time.sleep(0.05)
                yield Progress(step, 60)
        yield from restore(partition, context)

    loop._source.poll = poll  # type: ignore[method-assign]
    loop._restorations._recovery.restore = slow  # type: ignore[method-assign]
    replaced = [{cluster.input: loop._contexts[cluster.input]}]
    loop._reloaded = lambda: replaced.pop() if replaced else {}
    worker.wait_for(lambda: not replaced)
    cluster.send("pump-1", series_with_faults(60, [(40, 45)])[30:])
    worker.wait_committed(cluster, {0: 60, 1: 0}, 60)
    worker.wait_for(lambda: len(worker.live) == 2)
    # One for the request, and one or two for joining that ended between polls; not one a slice.
    assert len(set(generations)) <= 4
    assert cluster.events() == straight(cluster)
