"""The worker announces every step of a commit and of a restoration, in order: faults can be placed between any two."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry

from detector.cli.run.live import open_live
from detector.failpoints import COMMIT_STEPS, RESTORE_STEPS
from tests.worker.support import Cluster, make_context, make_settings, series_with_faults

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_steps_come_in_order(cluster: Cluster, delivery: str) -> None:
    settings = make_settings(cluster, delivery=delivery, commit_interval_seconds=0.01)
    cluster.send("pump", series_with_faults(20, [(5, 9)]))
    expected = list(COMMIT_STEPS)
    if delivery == "at_least_once":
        expected.remove("offsets-sent")  # offsets are not part of a transaction there

    for _ in range(2):
        steps: list[str] = []
        enough = threading.Event()

        def announce(step: str, steps: list[str] = steps, enough: threading.Event = enough) -> None:
            steps.append(step)
            # The first commit of a group comes before any record: it says where the group begins.
            if step == "noted" and "processed" in steps:
                enough.set()

        parts = open_live(
            settings,
            lambda cluster_id: {cluster.input: make_context(settings, cluster_id)},
            CollectorRegistry(),
            enough.is_set,
            announce,
        )
        try:
            parts.worker.run()
        finally:
            parts.close()
        assert [step for step in steps if step in RESTORE_STEPS][: len(RESTORE_STEPS)] == list(RESTORE_STEPS)
        # The other partition may be restored meanwhile, and committed once more on the way out.
        commit = [step for step in steps if step in COMMIT_STEPS]
        last_poll = len(commit) - commit[::-1].index("polled") - 1
        assert commit[last_poll:][: len(expected)] == expected
        cluster.send("pump", series_with_faults(20, [(5, 9)]))
