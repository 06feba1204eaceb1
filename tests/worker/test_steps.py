"""The worker announces every step of a commit and of a restoration, in order: faults can be placed between any two."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from detector.cli.live import open_live
from detector.failpoints import COMMIT_STEPS, RESTORE_STEPS
from tests.worker.support import Cluster, make_context, make_settings, series_with_faults

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_steps_come_in_order(cluster: Cluster, delivery: str) -> None:
    settings = make_settings(cluster, delivery=delivery, commit_interval_seconds=0.01)
    cluster.send("pump", series_with_faults(20, [(5, 9)]))
    steps: list[str] = []
    asked = threading.Event()

    def announce(step: str) -> None:
        steps.append(step)
        if step == "noted":
            asked.set()

    for _ in range(2):
        parts = open_live(
            settings,
            lambda cluster_id: {cluster.input: make_context(settings, cluster_id)},
            CollectorRegistry(),
            asked.is_set,
            announce,
        )
        try:
            parts.worker.run()
        finally:
            parts.close()
        asked.clear()
        cluster.send("pump", series_with_faults(20, [(5, 9)]))
    for life in _lives(steps):
        expected = [*RESTORE_STEPS, *COMMIT_STEPS]
        if delivery == "at_least_once":
            expected.remove("offsets-sent")  # offsets are not part of a transaction there
        assert [step for step in life if step in expected][: len(RESTORE_STEPS)] == list(RESTORE_STEPS)
        firsts = [life.index(step) for step in expected]
        assert firsts == sorted(firsts)


def _lives(steps: list[str]) -> list[list[str]]:
    ends = [0, *(i + 1 for i, step in enumerate(steps) if step == "noted")]
    return [steps[a:b] for a, b in pairwise(ends)][:2]
