"""Fixtures of workers whose models carry memory along each series."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.audit.support import FIRST, Start, start_worker
from tests.carried.scorer import RememberingScorer
from tests.worker.support import Cluster, RunningWorker, cluster

__all__ = ["cluster"]


def remembering(model: str) -> RememberingScorer:
    """The second model sees half as much again in everything."""
    return RememberingScorer(1.0 if model == FIRST else 1.5)


@pytest.fixture
def run_worker(cluster: Cluster) -> Iterator[Start]:
    running: list[RunningWorker] = []

    def start(*arguments: object, **options: object) -> RunningWorker:
        running.append(partial(start_worker, scorer_of=remembering)(cluster, *arguments, **options))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for worker in running:
        worker.stop_asked.set()
    for worker in running:
        worker._thread.join(30)
        worker.parts.close()
