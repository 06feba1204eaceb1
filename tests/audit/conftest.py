"""Fixtures of the audit's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.audit.support import Start, start_worker
from tests.worker.support import Cluster, RunningWorker, cluster

__all__ = ["cluster"]


@pytest.fixture
def run_worker(cluster: Cluster) -> Iterator[Start]:
    running: list[RunningWorker] = []

    def start(*arguments: object, **options: object) -> RunningWorker:
        running.append(start_worker(cluster, *arguments, **options))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for worker in running:
        worker.stop_asked.set()
    for worker in running:
        worker._thread.join(60)
        worker.parts.close()
