"""For each mutant the situation that shows it. The real worker must pass, or the scenario would prove nothing.

``python -m tests.chaos.scenarios [NAME...]`` is what ``make chaos-mutants`` runs.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.bench import SESSION_SECONDS, Bench, Verdict
from tests.chaos.brokers import Brokers, start_brokers
from tests.chaos.mutants import MUTATIONS, entry
from tests.chaos.workers import DETECTOR, WorkerProcess

_SEED = 31
_PARTITIONS, _SERIES = 4, 24
_PER_SECOND = 300.0
_LEAST_RECORDS = 2500
# However far a slow machine had come by then: more than any incident lasts, for each series.
_RECORDS_AFTERWARDS = 1000
_RARELY_SECONDS = 8
_EVENTS_BEFORE = 40
Entry = Sequence[str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A situation.

    Attributes:
        play: Starts and disturbs workers, and returns those that still run.
        worker: Settings that it needs.
    """

    play: Callable[[Bench, Entry], Sequence[WorkerProcess]]
    worker: Mapping[str, Any] = field(default_factory=dict)


def run(name: str, brokers: Brokers, folder: Path, *, mutant: bool) -> Verdict:
    """Play a scenario with the mutant or with the real worker."""
    scenario = SCENARIOS[name]
    with Bench(
        brokers, folder, _SEED, _PARTITIONS, _SERIES, worker=scenario.worker, per_second=_PER_SECOND, steady=True
    ) as bench:
        bench.start_feeding()
        left = scenario.play(bench, entry(name) if mutant else DETECTOR)
        bench.feeder.finish(max(_LEAST_RECORDS, bench.feeder.sent + _RECORDS_AFTERWARDS))
        bench.wait_until_done(60)
        for worker in left:
            if mutant:
                worker.kill()
            else:
                bench.stop(worker)
        return bench.verdict()


def _killed(bench: Bench, start: Entry, step: str, counts: Sequence[int]) -> list[WorkerProcess]:
    for count in counts:
        worker = bench.start_worker("w1", f"{step}:kill:{count}", entry=start)
        bench.wait_for(lambda one=worker: one.ended() is not None, f"killed at {step}")  # type: ignore[misc]
        assert worker.ended() == -signal.SIGKILL, f"the worker ended by itself: {worker.told.traces}"
    return [bench.start_worker("w1", entry=start)]


def _killed_after_the_commit(bench: Bench, start: Entry) -> Sequence[WorkerProcess]:
    return _killed(bench, start, "committed", (8, 3))


def _killed_while_incidents_are_open(bench: Bench, start: Entry) -> Sequence[WorkerProcess]:
    """Series with an open incident were snapshotted when it opened: a restart has nothing else to know it by."""
    worker = bench.start_worker("w1", entry=start)
    bench.wait_for(
        lambda: (
            bench.observer.open_incidents(range(_PARTITIONS)) > _PARTITIONS
            and bench.observer.count(bench.settings.topics.events) > _EVENTS_BEFORE
        ),
        "incidents are open",
    )
    worker.kill()
    return [bench.start_worker("w1", entry=start)]


def _joined_in_the_middle(bench: Bench, start: Entry) -> Sequence[WorkerProcess]:
    """A second worker takes partitions over while the first has outcomes that it will commit only later."""
    first = bench.start_worker("w1", entry=start)
    bench.wait_for(lambda: len(bench.observer.controls) == _PARTITIONS, "the first has committed")
    second = bench.start_worker("w2", entry=start)
    bench.wait_for(lambda: bool(second.told.live) and second.told.live == second.told.assigned, "the second is live")
    time.sleep(_RARELY_SECONDS + 2)  # by then both have committed what they hold
    return [first, second]


def _asleep_before_its_commit(bench: Bench, start: Entry) -> Sequence[WorkerProcess]:
    """A dynamic member sleeps past its session; another takes over and commits; it wakes up and goes on."""
    sleeper = bench.start_worker("w1", "state-gathered:pause:12,begun:stall=3:12", static=False, entry=start)
    bench.wait_for(lambda: len(sleeper.told.live) == _PARTITIONS, "the sleeper is live")
    other = bench.start_worker("w2", static=False, entry=start)
    bench.wait_for(lambda: sleeper.told.paused_at is not None, "the sleeper sleeps")
    held = set(sleeper.told.live)
    bench.wait_for(lambda: held <= other.told.live, "the other has the partitions", SESSION_SECONDS * 5)
    time.sleep(1.5)
    sleeper.signal(signal.SIGCONT)
    deadline = time.monotonic() + 15
    bench.wait_for(
        lambda: (
            bool(sleeper.told.refused or sleeper.told.unknown or sleeper.told.let_through)
            or sleeper.ended() is not None
            or time.monotonic() > deadline
        ),
        "the sleeper attempted its commit",
    )
    sleeper.kill()
    return [other]


def _answer_lost(bench: Bench, start: Entry) -> Sequence[WorkerProcess]:
    """The broker commits, and its answer never arrives."""
    worker = bench.start_worker("w1", "offsets-sent:pause:10", entry=start)
    bench.wait_for(lambda: worker.told.paused_at is not None, "paused before the end of its transaction")
    time.sleep(0.2)
    bench.brokers.proxy.mute()
    worker.signal(signal.SIGCONT)
    time.sleep(4.6)  # its patience: the transaction timeout and two seconds
    bench.brokers.proxy.heal()
    return [worker]


SCENARIOS: Mapping[str, Scenario] = {
    "commit-before-produce": Scenario(_killed_after_the_commit),
    "skip-snapshot": Scenario(_killed_while_incidents_are_open),
    "keep-revoked": Scenario(_joined_in_the_middle, {"commit_interval_seconds": _RARELY_SECONDS}),
    "late-metadata": Scenario(_asleep_before_its_commit),
    "retry-unknown": Scenario(_answer_lost, {"transaction_timeout_seconds": 2}),
}


def main(names: Sequence[str]) -> int:
    """0 when the real worker passes every scenario and every mutant is caught."""
    missed = []
    with (
        tempfile.TemporaryDirectory(prefix="reconstream-mutants-") as folder,
        start_brokers(Path(folder), 1) as brokers,
    ):
        for name in names or SCENARIOS:
            for mutant in (False, True):
                who = f"{name} mutant" if mutant else f"{name} healthy"
                verdict = run(name, brokers, Path(folder) / who.replace(" ", "-"), mutant=mutant)
                caught = not (verdict.events.clean and verdict.letters.clean)
                as_wanted = caught if mutant else verdict.clean
                missed += [] if as_wanted else [who]
                sys.stdout.write(f"{'ok    ' if as_wanted else 'WRONG '} {who:32} {verdict}\n")
                sys.stdout.flush()
    sys.stdout.write(f"wrong: {', '.join(missed)}\n" if missed else "every mutant was caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    assert set(SCENARIOS) == set(MUTATIONS)
    sys.exit(main(sys.argv[1:]))
