"""What a worker wrote, whatever happened to it, passes the audit; every model and every setting counts in its time."""

from __future__ import annotations

import pytest

from detector.audit.report import AuditReport
from detector.kafka.committer import CommitResult
from tests.audit.support import FIRST, SECOND, Start, audit, changed
from tests.worker.support import Cluster, make_settings, record, series_with_faults

pytestmark = pytest.mark.kafka


def assert_clean(report: AuditReport) -> None:
    assert list(report.findings) == []
    assert not report.undetermined, report.partitions
    assert report.differences == 0


def test_a_run_without_incidents_of_its_own(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(60, [(10, 15), (30, 40)]))
    cluster.send("pump-2", series_with_faults(60, [(20, 25)]), partition=1)
    cluster.send("pump-1", [(0, b"not json"), (0, None)])
    worker = run_worker()
    worker.wait_committed(cluster, {0: 62, 1: 60})
    worker.stop()
    report = audit(cluster)
    assert_clean(report)
    totals = report.totals()
    assert (totals["records"], totals["events"], totals["dead_letters"]) == (122, 6, 2)
    assert totals["snapshots"] == 2
    assert [part.started for part in report.partitions] == [[(0, "the beginning, offset 0")]] * 2
    assert report.spread == {}


def test_while_the_worker_goes_on(cluster: Cluster, run_worker: Start) -> None:
    worker = run_worker()
    cluster.send("pump-1", series_with_faults(200, [(i, i + 3) for i in range(5, 200, 12)]))
    worker.wait_committed(cluster, {0: 50})
    assert_clean(audit(cluster))
    worker.wait_committed(cluster, {0: 200})
    assert_clean(audit(cluster))


def test_over_crashes_and_restarts(cluster: Cluster, run_worker: Start) -> None:
    for number in range(3):
        rows = series_with_faults(90, [(i, i + 4) for i in range(6, 90, 11)])
        cluster.send("pump-1", rows[number * 30 : number * 30 + 30])
        worker = run_worker()
        worker.wait_committed(cluster, {0: number * 30 + 30})
        cluster.send("pump-2", rows[number * 30 : number * 30 + 30], partition=1)
        if number == 2:
            worker.wait_committed(cluster, {1: 90})
            worker.stop()
        else:
            worker.abandon()
    report = audit(cluster)
    assert_clean(report)
    assert report.totals()["records"] == 180


def test_over_another_model_and_other_settings(cluster: Cluster, run_worker: Start) -> None:
    rows = series_with_faults(160, [(i, i + 6) for i in range(15, 160, 20)], level=1.5)
    settings = make_settings(cluster)
    stricter = changed(settings, "incidents", threshold=2.0, cool_down_seconds=8)
    # Each change falls into an open incident.
    steps = [(settings, FIRST, 38), (settings, SECOND, 78), (stricter, SECOND, 118), (stricter, FIRST, 160)]
    done = 0
    for chosen, model, upto in steps:
        cluster.send("pump-1", rows[done:upto])
        worker = run_worker(chosen, model)
        worker.wait_committed(cluster, {0: upto})
        worker.stop()
        done = upto
    report = audit(cluster, stricter)
    assert_clean(report)
    assert report.partitions[0].epochs == [(0, "v0"), (38, "v1"), (78, "v1"), (118, "v0")]
    assert report.totals()["events"] > 8


def test_other_rules_for_windows_are_known_from_the_next_checkpoint_on(cluster: Cluster, run_worker: Start) -> None:
    rows = [row for i, row in enumerate(series_with_faults(90, [(10, 15), (60, 65)])) if i not in (30, 31, 32, 70, 71)]
    settings = make_settings(cluster)
    wider = changed(settings, "window", max_gap_steps=4)
    for chosen, upto in ((settings, 40), (wider, len(rows))):
        cluster.send("pump-1", rows[0 if upto == 40 else 40 : upto])
        worker = run_worker(chosen)
        worker.wait_committed(cluster, {0: upto})
        worker.stop()
    report = audit(cluster, wider)
    assert report.differences == 0
    # Not carried on: when the worker read its last records again, the gap had another meaning.
    begun, *others = report.partitions[0].started
    assert begun == (0, "the beginning, offset 0")
    # Whether the first commit of the new epoch, with its checkpoint, came before its first record is a matter of luck.
    assert others[0] in [(40, "look-back from offset 0"), (40, "checkpoint at offset 40")]


def test_a_range_in_mid_stream_begins_at_a_checkpoint(cluster: Cluster, run_worker: Start) -> None:
    settings = make_settings(cluster, state={"checkpoint_interval_seconds": 0.01})
    worker = run_worker(settings)
    for number in range(6):
        cluster.send("pump-1", series_with_faults(120, [(i, i + 9) for i in range(12, 120, 20)])[number * 20 :][:20])
        worker.wait_committed(cluster, {0: number * 20 + 20})
    worker.stop()
    report = audit(cluster, settings, from_offset=75, to_offset=115)
    assert_clean(report)
    ((offset, what),) = report.partitions[0].started
    assert what == f"checkpoint at offset {offset}"
    assert 0 < offset <= 75
    assert report.totals()["events"] == 4  # closed at 83, opened at 93, closed at 103, opened at 113


def test_snapshots_from_between_the_checkpoint_and_the_range_count_as_taken(
    cluster: Cluster, run_worker: Start
) -> None:
    # pump-1 falls silent; its last snapshot lies behind the only checkpoint, and before the range.
    settings = make_settings(cluster, state={"checkpoint_interval_seconds": 3600, "max_replay_records": 100})
    worker = run_worker(settings)
    cluster.send("pump-1", [record(i, 0.0) for i in range(10)])
    worker.wait_committed(cluster, {0: 10})
    cluster.send("pump-1", [record(i, 0.0) for i in range(10, 20)])
    for upto in range(40, 240, 20):
        cluster.send("pump-2", [record(i, 0.0) for i in range(upto - 20, upto)])
        worker.wait_committed(cluster, {0: upto})
    worker.stop()
    announced: list[int] = []
    report = audit(cluster, settings, announced=announced, from_offset=200)
    assert_clean(report)
    ((begun, what),) = report.partitions[0].started
    assert what == f"checkpoint at offset {begun}"
    assert begun < 20
    assert report.partitions[0].unchecked_snapshots >= 1
    assert report.totals()["records"] == 20  # those of the range; more were gone through
    assert announced == [220 - begun, 0]  # the other partition is empty


def test_a_look_back_that_tells_everything_is_clean(cluster: Cluster, run_worker: Start) -> None:
    cluster.send("pump-1", series_with_faults(120, [(10, 15), (90, 95)]))
    worker = run_worker(make_settings(cluster, state={"checkpoint_interval_seconds": 3600}))
    worker.wait_committed(cluster, {0: 120})
    worker.stop()
    cluster.producer.flush()
    report = audit(cluster, from_offset=60)
    assert_clean(report)
    assert report.totals()["events"] == 2


def test_a_series_in_two_partitions_is_told_and_is_no_failure(cluster: Cluster, run_worker: Start) -> None:
    for partition in (0, 1):
        cluster.send("pump-1", [record(i, 0.0) for i in range(10)], partition)
    worker = run_worker()
    worker.wait_committed(cluster, {0: 10, 1: 10})
    worker.stop()
    report = audit(cluster)
    assert_clean(report)
    assert report.spread == {("pumps", "pump-1"): {0, 1}}


def test_a_commit_of_unknown_outcome(cluster: Cluster, run_worker: Start) -> None:
    worker = run_worker()
    commit = worker.worker._commits._committer.commit
    results: list[CommitResult] = []

    def doubtful(*arguments: object) -> CommitResult:
        result = commit(*arguments)  # type: ignore[arg-type]
        results.append(result)
        return CommitResult.UNKNOWN if len(results) == 2 and result is CommitResult.COMMITTED else result

    worker.worker._commits._committer.commit = doubtful  # type: ignore[method-assign,assignment]
    cluster.send("pump-1", series_with_faults(60, [(10, 15), (30, 40)]))
    worker.wait_committed(cluster, {0: 60})
    worker.stop()
    assert_clean(audit(cluster))


def test_over_a_lost_state_that_was_rebuilt(
    cluster: Cluster, run_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.worker.recovery.stored._MARKER_PATIENCE_SECONDS", 0.5)
    rows = series_with_faults(200, [(i, i + 6) for i in range(15, 200, 20)])
    settings = make_settings(cluster)
    rebuilding = make_settings(cluster, on_lost_state="rebuild", state={"max_replay_records": 100})
    elsewhere = rebuilding.model_copy(
        update={"topics": rebuilding.topics.model_copy(update={"state": f"{cluster.name}.state-2"})}
    )
    for chosen, first, upto in ((settings, 0, 138), (elsewhere, 138, 200)):
        cluster.send("pump-1", rows[first:upto])
        # State is written with the next commit: a partition without any new record would have none yet.
        cluster.send("pump-2", [record(upto, 0.0)], partition=1)
        worker = run_worker(chosen)
        worker.wait_committed(cluster, {0: upto, 1: 1 if first == 0 else 2}, 100)
        worker.stop()
    report = audit(cluster, elsewhere)
    assert_clean(report)
    assert [what for _, what in report.partitions[0].started] == [
        "the beginning, offset 0",
        "windows rebuilt from offset 38",
    ]
