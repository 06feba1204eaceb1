"""A worker that keeps two series in memory, against a real broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.support import Cluster, RunningWorker, make_settings, series_with_faults

SERIES = [f"pump-{number}" for number in range(5)]


@pytest.mark.kafka
def test_a_worker_that_evicts_restarts_exactly(
    cluster: Cluster, run_worker: Callable[..., RunningWorker], tmp_path: Path
) -> None:
    settings = make_settings(cluster, state={"max_resident_series": 2, "directory": str(tmp_path / "local")})
    runs = {name: series_with_faults(60, [(20 + 2 * n, 30 + 2 * n)]) for n, name in enumerate(SERIES)}

    def send(first: int, last: int) -> None:
        for second in range(first, last):
            for name in SERIES:
                cluster.send(name, [runs[name][second]])

    send(0, 25)
    first = run_worker(settings)
    first.wait_committed(cluster, {0: 125})
    assert first.value("series_evicted_total", stream="pumps") > 100
    assert first.value("series_reloaded_total", stream="pumps") > 100
    first.wait_for(lambda: first.value("series_not_resident", stream="pumps") == 3)
    assert first.value("series", stream="pumps", state="live") == 5
    assert first.value("series_file_bytes", stream="pumps") > 0
    first.abandon()
    assert list((tmp_path / "local").iterdir()) == []

    send(25, 60)
    second = run_worker(settings)
    second.wait_committed(cluster, {0: 300})
    second.stop()
    told = [(event.series, event.event, event.source.opened_offset) for event in cluster.events()]
    # A fault from second 20 + 2n on opens with its second sample.
    assert sorted(told) == sorted(
        (name, kind, (21 + 2 * n) * 5 + n) for n, name in enumerate(SERIES) for kind in ("opened", "closed")
    )
