"""A topic that is not keyed by series."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.worker.support import Cluster, RunningWorker, kinds, series_with_faults, straight

pytestmark = pytest.mark.kafka


def test_a_series_in_two_partitions_is_reported_and_changes_nothing(
    cluster: Cluster, run_worker: Callable[..., RunningWorker]
) -> None:
    records = series_with_faults(40, [(10, 15)])
    for partition in (0, 1):
        cluster.send("pump-everywhere", records[:30], partition)
        cluster.send(f"pump-{partition}", records, partition)
    worker = run_worker()
    worker.wait_committed(cluster, {0: 70, 1: 70})
    worker.wait_for(lambda: worker.value("series_in_several_partitions", stream="pumps") == 1)
    assert kinds(cluster.events(), "pump-everywhere") == ["opened", "closed"] * 2
    assert cluster.events() == straight(cluster)
    worker.stop()
    # After a restart a series counts from its next record on.
    again = run_worker()
    for partition in (0, 1):
        cluster.send("pump-everywhere", records[30:], partition)
    again.wait_for(lambda: again.value("series_in_several_partitions", stream="pumps") == 1)
