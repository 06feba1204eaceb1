"""Fixtures of the tests of faults: those of the live worker's tests."""

from tests.worker.support import cluster, run_worker

__all__ = ["cluster", "run_worker"]
