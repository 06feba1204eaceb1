"""One run: workers under faults until enough were killed, then peace, the end of the input, and the verdict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.bench import Bench, Verdict
from tests.chaos.brokers import start_brokers
from tests.chaos.fates import Fate, Fates
from tests.chaos.ledger import Ledger
from tests.chaos.slots import Owners, Slot
from tests.chaos.weather import Weather

_TICK_SECONDS = 0.03
_PATIENCE_PER_KILL_SECONDS = 30.0
_LEAST_RATE = 60.0
_SECONDS_PER_KILL = 4.5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do.

    Attributes:
        kills: How many SIGKILLs of workers at least; it goes on until a tenth as many zombies have tried to commit.
        records: How many are published at least.
        brokers: One, or three.
        workers: How many at once.
    """

    seed: int
    kills: int
    records: int
    brokers: int = 1
    workers: int = 3
    partitions: int = 6
    series: int = 36

    @property
    def zombies(self) -> int:
        """How many commits must be attempted by workers whose partitions others had by then."""
        return -(-self.kills // 10)


@dataclass(frozen=True, slots=True)
class Result:
    """Of a run."""

    plan: Plan
    ledger: Ledger
    verdict: Verdict
    seconds: float
    folder: Path

    @property
    def clean(self) -> bool:
        """Whether the contract held, and nothing ended in a way that no fault explains."""
        return self.verdict.clean and not self.ledger.unexpected and not self.ledger.zombies["let through"]


def run(plan: Plan, folder: Path, say: Say) -> Result:
    """Do it.

    Raises:
        AssertionError: the bench itself failed, or the workers made no progress.
    """
    started = time.monotonic()
    ledger = Ledger()
    with (
        start_brokers(folder, plan.brokers) as brokers,
        Bench(
            brokers, folder / "run", plan.seed, plan.partitions, plan.series,
            replication=plan.brokers, per_second=max(_LEAST_RATE, plan.records / (plan.kills * _SECONDS_PER_KILL)),
        ) as bench,
    ):  # fmt: skip
        retention = bench.start_deleting()
        bench.start_feeding()
        owners = Owners()
        slots = [
            Slot(
                f"w{number}", bench, Fates(random.Random(f"{plan.seed}/{number}")).draw, ledger, owners, retention,
                static=number != 3, through_proxy=number != 2,
            )
            for number in range(1, plan.workers + 1)
        ]  # fmt: skip
        group = bench.settings.worker.group
        ids = tuple(f"{group}.{slot.name}" for slot in slots)
        with Weather(brokers, group, ids, ledger, random.Random(f"{plan.seed}/weather")) as weather:
            _disturb(plan, bench, slots, ledger, weather, say)
        assert weather.error is None, f"the cluster could not be disturbed as planned: {weather.error!r}"
        finish(plan.records, bench, slots, say)
        verdict = bench.verdict()
    return Result(plan, ledger, verdict, time.monotonic() - started, folder)


def _disturb(plan: Plan, bench: Bench, slots: Sequence[Slot], ledger: Ledger, weather: Weather, say: Say) -> None:
    began = last_kill = last_said = time.monotonic()
    killed = 0
    while ledger.killed < plan.kills or ledger.zombie_commits < plan.zombies:
        for slot in slots:
            slot.tick()
        now = time.monotonic()
        if ledger.killed != killed:
            killed, last_kill = ledger.killed, now
            pace = (now - began) / killed if killed >= 5 else _SECONDS_PER_KILL
            left = max(1, plan.kills - killed) * pace
            bench.feeder.per_second = max(_LEAST_RATE, (plan.records - bench.feeder.sent) / left)
        if now - last_said > 15:
            last_said = now
            say(progress(bench, ledger, now - began))
        assert now - last_kill < _PATIENCE_PER_KILL_SECONDS * 3, "no worker could be killed any more"
        assert bench.observer.error is None, f"the observer failed: {bench.observer.error!r}"
        assert bench.feeder.error is None, f"the producer failed: {bench.feeder.error!r}"
        assert weather.error is None, f"the cluster could not be disturbed as planned: {weather.error!r}"
        time.sleep(_TICK_SECONDS)


def finish(records: int, bench: Bench, slots: Sequence[Slot], say: Say) -> None:
    """Peace: publish the rest, let the workers catch up, and drain them."""
    say("no more faults; publishing the rest and waiting for the workers")
    for slot in slots:
        slot.let_live()
    bench.feeder.finish(max(records, bench.feeder.sent))
    deadline = time.monotonic() + 180
    next_look = 0.0
    while time.monotonic() < deadline:
        for slot in slots:
            slot.tick()
        # One that has only just begun cannot take SIGTERM for more than its end.
        ready = all(slot.process is not None and slot.process.told.url is not None for slot in slots)
        if ready and time.monotonic() > next_look:
            if not bench.uncommitted():
                break
            next_look = time.monotonic() + 0.5
        time.sleep(_TICK_SECONDS)
    bench.stop(*(slot.process for slot in slots if slot.process is not None))


def progress(bench: Bench, ledger: Ledger, seconds: float) -> str:
    """One line."""
    topics = bench.settings.topics
    return (
        f"{seconds:5.0f} s  {ledger.killed} kills, {ledger.zombie_commits} zombies, {ledger.lives} lives, "
        f"{bench.feeder.sent} records, {bench.observer.count(topics.events)} events, "
        f"{bench.observer.count(topics.dead_letters)} dead letters, weather {ledger.weather.total()}"
        + (f", unexpected {len(ledger.unexpected)}" if ledger.unexpected else "")
    )


def scripted(fates: Sequence[Fate]) -> Callable[[], Fate]:
    """Fates in a fixed order; afterwards it lives on."""
    left = list(fates)
    return lambda: left.pop(0) if left else Fate("live")


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Of all runs together, for JSON."""
    ledger = Ledger()
    for result in results:
        ledger.add(result.ledger)
    kinds = ("losses", "repeats", "foreign", "changed", "order_errors")
    counted = {
        f"{what}_{kind}": sum(getattr(r.verdict, attribute).counts()[kind] for r in results)
        for what, attribute in (("event", "events"), ("dead_letter", "letters"))
        for kind in kinds
    }
    return {
        "records": sum(r.verdict.records for r in results),
        "events": sum(r.verdict.event_count for r in results),
        "dead_letters": sum(r.verdict.letter_count for r in results),
        **counted,
        "offsets_at_the_end": all(not r.verdict.uncommitted for r in results),
        "two_readers_agree": all(r.verdict.two_readers_agree for r in results),
        **ledger.summary(),
        "seconds": round(sum(r.seconds for r in results), 1),
    }
