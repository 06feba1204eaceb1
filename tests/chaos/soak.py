"""``python -m tests.chaos.soak``: a steady load for a while, with a kill now and then; does memory or lag grow?

One worker is never disturbed. Another, in the same group, is killed and restarted again and again, so that partitions
move all the time. Every second the memory of both and their lag are measured. The run fails if the undisturbed worker
grows, if lag grows, or if a reader of the events saw anything else than an uninterrupted run gives.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.bench import Bench
from tests.chaos.brokers import start_brokers
from tests.chaos.leaks import Slope, slope
from tests.chaos.workers import WorkerProcess

PER_SECOND = 200.0
LEAK_MIB_PER_HOUR = 30.0
"""What the undisturbed worker may not exceed for certain: 0.7 GiB a day; allocators settle more slowly than that."""
LAG_SHARE = 0.005
"""Lag that grows by more than this share of the load is a worker that is too slow."""
_WARM_UP_SHARE, _WARM_UP_MOST_SECONDS = 0.3, 300.0
_LIFE_SECONDS = 150.0
_LIFE_WARM_UP_SECONDS = 45.0
_MIB = 1024 * 1024
_LAG = "reconstream_consumer_lag_records"


@dataclass(slots=True)
class Track:
    """Measurements of one life of a worker.

    Attributes:
        seconds: Since the run began.
        memory_mib: Resident.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)

    def after(self, seconds: float) -> Slope | None:
        """Growth of memory in MiB an hour, from so many seconds of its life on."""
        if not self.seconds:
            return None
        first = next((i for i, at in enumerate(self.seconds) if at - self.seconds[0] >= seconds), len(self.seconds))
        return slope(self.seconds[first:], self.memory_mib[first:])


@dataclass(slots=True)
class Soak:
    """Everything that was measured."""

    steady: Track
    lives: list[Track] = field(default_factory=list)
    lag_seconds: list[float] = field(default_factory=list)
    lag_records: list[float] = field(default_factory=list)
    kills: int = 0


def memory_mib(pid: int) -> float | None:
    """Resident memory of a process; None when it is gone."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    try:
        for line in rollup.read_text(encoding="ascii").splitlines():
            if line.startswith("Rss:"):
                return float(line.split()[1]) / 1024
    except OSError:
        if Path("/proc/self/smaps_rollup").exists():
            return None
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return float(told) / 1024 if told.strip() else None


def lag_records(worker: WorkerProcess) -> float | None:
    """As the worker tells it; None while it does not."""
    if worker.told.url is None:
        return None
    try:
        with urllib.request.urlopen(worker.told.url, timeout=2) as response:  # noqa: S310 - the worker's own address
            text = response.read().decode()
    except (OSError, urllib.error.URLError):
        return None
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _LAG
    )


def measure(bench: Bench, minutes: float) -> Soak:
    """Run the load."""
    steady = bench.start_worker("steady", through_proxy=False)
    found = Soak(Track("steady"))
    bench.wait_for(lambda: steady.told.recovered_seconds is not None, "the steady worker is live")
    began = time.monotonic()
    moved = bench.start_worker("moved", through_proxy=False)
    found.lives.append(Track("moved-1"))
    next_second = began
    while (now := time.monotonic()) - began < minutes * 60:
        if now - moved.started_at > _LIFE_SECONDS and now - began < minutes * 60 - _LIFE_SECONDS / 2:
            moved.kill()
            moved.close()
            found.kills += 1
            moved = bench.start_worker("moved", through_proxy=False)
            found.lives.append(Track(f"moved-{found.kills + 1}"))
        for worker, track in ((steady, found.steady), (moved, found.lives[-1])):
            worker.read_log()
            assert worker.ended() is None, f"{worker.name} ended: {worker.told.traces[-20:]} ({worker.log})"
            rss = memory_mib(worker.pid)
            if rss is not None:
                track.seconds.append(now - began)
                track.memory_mib.append(rss)
        lags = [lag for lag in (lag_records(steady), lag_records(moved)) if lag is not None]
        if len(lags) == 2:
            found.lag_seconds.append(now - began)
            found.lag_records.append(sum(lags))
        next_second += 1
        time.sleep(max(0.0, next_second - time.monotonic()))
    return found


def judge(found: Soak, minutes: float) -> tuple[dict[str, Any], list[str]]:
    """Figures, and what is wrong with them."""
    warm_up = min(minutes * 60 * _WARM_UP_SHARE, _WARM_UP_MOST_SECONDS)
    memory = found.steady.after(warm_up)
    from_second = next((i for i, at in enumerate(found.lag_seconds) if at >= warm_up), len(found.lag_seconds))
    lag = slope(found.lag_seconds[from_second:], found.lag_records[from_second:])
    bound = LAG_SHARE * PER_SECOND * 3600
    problems = []
    if memory is None or lag is None:
        problems.append("too few measurements; run for longer")
    elif memory.exceeds(LEAK_MIB_PER_HOUR):
        problems.append(f"memory grows by {memory.low:.1f} MiB an hour at least, over {LEAK_MIB_PER_HOUR:g}")
    elif lag.exceeds(bound):
        problems.append(f"lag grows by {lag.low:.0f} records an hour at least, over {bound:.0f}")
    lags = sorted(found.lag_records[from_second:]) or [float("nan")]
    figures = {
        "minutes": minutes,
        "kills": found.kills,
        "memory_mib_last": round(found.steady.memory_mib[-1], 1),
        "memory_mib_per_hour": _told(memory),
        "memory_mib_per_hour_of_killed": {
            track.name: told for track in found.lives if (told := _told(track.after(_LIFE_WARM_UP_SECONDS)))
        },
        "lag_records_median": lags[len(lags) // 2],
        "lag_records_worst": lags[-1],
        "lag_records_per_hour": _told(lag),
    }
    return figures, problems


def _told(found: Slope | None) -> Mapping[str, float] | None:
    if found is None:
        return None
    return {"slope": round(found.per_hour, 2), "low": round(found.low, 2), "high": round(found.high, 2)}


def main() -> int:
    """0 when nothing grows and nothing is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="reconstream-soak-"))
    sys.stdout.write(f"seed {seed}, {options.minutes:g} minutes at {PER_SECOND:g} records a second\n")
    sys.stdout.flush()
    with (
        start_brokers(folder, 1) as brokers,
        Bench(
            brokers, folder / "run", seed, 4, 48, per_second=PER_SECOND, steady=True,
            # Close to what people run with; kills are rare here.
            worker={"commit_interval_seconds": 0.5, "state": {"max_replay_records": 5000}},
        ) as bench,
    ):  # fmt: skip
        bench.start_deleting()
        bench.start_feeding()
        found = measure(bench, options.minutes)
        bench.feeder.finish(bench.feeder.sent)
        bench.wait_until_done()
        bench.stop(*(worker for worker in bench.started if not worker.is_closed))
        verdict = bench.verdict()
    figures, problems = judge(found, options.minutes)
    if not verdict.clean:
        problems.append(str(verdict))
    told = {"seed": seed, "records": verdict.records, "events": verdict.event_count, **figures, "problems": problems}
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    if problems:
        sys.stdout.write(f"FAILED: {'; '.join(problems)}; logs: {folder}\n")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write("PASSED\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
