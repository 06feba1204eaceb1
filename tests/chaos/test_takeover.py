"""Two workers share four partitions and one dies: the other takes over, and nobody can tell from the events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.bench import Bench
from tests.chaos.brokers import Brokers
from tests.chaos.model import ROOT
from tests.chaos.workers import DETECTOR

pytestmark = [pytest.mark.kafka, pytest.mark.keras]


def test_the_other_takes_over(chaos_brokers: Brokers, tmp_path: Path) -> None:
    with Bench(chaos_brokers, tmp_path, seed=21, partitions=4, series=16, per_second=300) as bench:
        bench.start_feeding()
        first, second = bench.start_worker("w1"), bench.start_worker("w2")
        bench.wait_for(
            lambda: len(first.told.live) == len(second.told.live) == 2 and bench.observer.open_incidents(range(4)) > 3,
            "both have two partitions, and incidents are open",
        )
        assert first.told.live | second.told.live == {0, 1, 2, 3}
        first.kill()
        bench.wait_for(lambda: second.told.live == {0, 1, 2, 3}, "the second has all of them")
        bench.feeder.finish(max(5000, bench.feeder.sent))
        bench.wait_until_done()
        bench.stop(second)
        verdict = bench.verdict()
        audit = subprocess.run(
            [sys.executable, *DETECTOR, "audit", "-c", str(bench.config), "--json"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert verdict.clean, str(verdict)
    assert audit.returncode == 0, audit.stdout[-2000:] + audit.stderr[-2000:]
    assert verdict.event_count >= 200
