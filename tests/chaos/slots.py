"""A worker's place in the group: one life after the other, each with its fate."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.chaos.bench import SESSION_SECONDS, Bench
from tests.chaos.fates import Fate
from tests.chaos.ledger import Ledger
from tests.chaos.retention import Retention
from tests.chaos.workers import WorkerProcess

_ZOMBIE_AT_LEAST, _ZOMBIE_AT_MOST = SESSION_SECONDS + 1.5, SESSION_SECONDS + 12.0
_AFTERMATH_SECONDS = 10.0
_FATE_PATIENCE_SECONDS = 14.0
_START_PATIENCE_SECONDS = 45.0
_DRAIN_PATIENCE_SECONDS = 40.0
_BACKOFF_SECONDS = 1.5
# Longer than any single fault of the weather takes, a broker's restart on a busy machine included.
_WEATHER_SECONDS = 30.0
_CLUSTER_AWAY, _FENCED, _HURRIED = 3, 6, 130
_ANY_MOMENT = "any moment"


class Owners:
    """Who restored which partition last, so that a zombie is known for one."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[str, float]] = {}

    def note(self, partition: int, name: str) -> None:
        """A worker went live on a partition."""
        self._last[partition] = (name, time.monotonic())

    def taken_from(self, name: str, partitions: set[int], since: float) -> bool:
        """Whether another worker went live on one of these partitions since then."""
        return any(
            owner != name and at > since
            for owner, at in (self._last.get(partition, ("", 0.0)) for partition in partitions)
        )


class Slot:
    """Ticked by the run's loop; it never blocks.

    Args:
        name: Instance.
        bench: Starts processes.
        draw: Gives the next fate.
        ledger: Told of everything.
        owners: Shared by all slots.
        retention: What was deleted, if anything is.
        static: Membership.
        through_proxy: Which way to the brokers.
    """

    def __init__(
        self,
        name: str,
        bench: Bench,
        draw: Callable[[], Fate],
        ledger: Ledger,
        owners: Owners,
        retention: Retention | None,
        *,
        static: bool,
        through_proxy: bool,
    ) -> None:
        self.name = name
        self._bench = bench
        self._draw = draw
        self._ledger = ledger
        self._owners = owners
        self._retention = retention
        self._static = static
        self._through_proxy = through_proxy
        self.process: WorkerProcess | None = None
        self._fate = Fate("live")
        self._start_at = 0.0
        self._restored = 0
        self._recovered = False
        self._paused_until: float | None = None
        self._held: set[int] = set()
        self._judge_at: float | None = None
        self._drain_by: float | None = None
        self._signalled = ""
        self._disturbed = False

    def tick(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                self._begin(self._draw())
            return
        self._take_log(self.process)
        status = self.process.ended()
        if status is not None:
            self._bury(self.process, status)
        else:
            self._meet(self.process, now)

    def let_live(self) -> None:
        """No more faults: wake it up if it sleeps, replace what has an order to die."""
        if self.process is not None:
            self.process.signal(signal.SIGCONT)
            if self.process.ended() is None and self._fate.failpoint is not None:
                self._kill(self.process, _ANY_MOMENT)
                self._bury(self.process, self.process.ended() or 0)
        self._fate = Fate("live")
        self._start_at = 0.0
        self._paused_until = None
        self._draw = lambda: Fate("live")

    # -- one life
    # -----------------------------------------------------------------------------------------------------

    def _begin(self, fate: Fate) -> None:
        self._fate = fate
        self._restored = 0
        self._recovered = False
        self._paused_until = self._judge_at = self._drain_by = None
        self._held = set()
        self._signalled = ""
        self._disturbed = False
        self._ledger.lives += 1
        self.process = self._bench.start_worker(
            self.name, fate.failpoint, static=self._static, through_proxy=self._through_proxy
        )

    def _take_log(self, process: WorkerProcess) -> None:
        told = process.read_log()
        for restored in told.restored[self._restored :]:
            self._owners.note(restored.partition, self.name)
            self._ledger.restorations += 1
            self._ledger.read_again += restored.again
            self._ledger.restore_seconds.append(restored.seconds)
            below = self._retention.deleted_below.get(restored.partition, 0) if self._retention else 0
            self._ledger.after_deletion += below > 0 and restored.series > 0
        self._restored = len(told.restored)
        if told.recovered_seconds is not None and not self._recovered:
            self._recovered = True
            self._ledger.recovery_seconds.append(told.recovered_seconds)

    def _meet(self, process: WorkerProcess, now: float) -> None:
        """Bring its fate about, as far as that comes from outside."""
        told, fate = process.told, self._fate
        if fate.kind == "live":
            return
        if self._drain_by is not None:
            if now > self._drain_by:
                self._kill(process, _ANY_MOMENT)
            return
        if told.paused_at is not None:
            self._zombie(process, now)
            return
        if self._paused_until is not None:
            if now > self._paused_until:
                self._paused_until = None
                process.signal(signal.SIGCONT)
                self._fate = Fate("kill", seconds=0.0, gone_seconds=fate.gone_seconds)
                self._judge_at = now + 1.5
            return
        age = now - process.started_at
        live_for = age - told.recovered_seconds if told.recovered_seconds is not None else 0.0
        if age > _START_PATIENCE_SECONDS or live_for > _FATE_PATIENCE_SECONDS:
            self._kill(process, _ANY_MOMENT)
        elif fate.failpoint is not None or (self._judge_at is not None and now < self._judge_at):
            return
        elif told.recovered_seconds is not None and live_for > fate.seconds:
            self._from_outside(process, fate, now)

    def _from_outside(self, process: WorkerProcess, fate: Fate, now: float) -> None:
        if fate.kind == "kill":
            self._kill(process, _ANY_MOMENT)
        elif fate.kind == "pause":
            process.signal(signal.SIGSTOP)
            self._ledger.pauses += 1
            self._disturbed = True
            self._paused_until = now + fate.pause_seconds
        else:
            process.signal(signal.SIGTERM)
            self._ledger.drains += 1
            self._signalled = "SIGTERM"
            self._drain_by = now + _DRAIN_PATIENCE_SECONDS

    def _zombie(self, process: WorkerProcess, now: float) -> None:
        told = process.told
        assert told.paused_at is not None
        if self._judge_at is None:
            self._disturbed = True
            self._held = self._held or set(told.live)
            slept = now - told.paused_at
            taken = self._owners.taken_from(self.name, self._held, told.paused_at)
            if slept > _ZOMBIE_AT_MOST or (slept > _ZOMBIE_AT_LEAST and taken):
                self._signalled = "zombie" if taken else ""
                self._judge_at = now + _AFTERMATH_SECONDS
                process.signal(signal.SIGCONT)
        elif now > self._judge_at or told.refused or told.unknown or told.let_through:
            if self._signalled == "zombie":
                self._ledger.zombie(told, None)
            self._signalled = ""
            told.paused_at = None
            self._judge_at = now + 1.0
            self._fate = Fate("kill", seconds=0.0, gone_seconds=self._fate.gone_seconds)

    def _kill(self, process: WorkerProcess, step: str) -> None:
        self._count_kill(process, step)
        process.kill()

    def _count_kill(self, process: WorkerProcess, step: str) -> None:
        self._ledger.kills[step] += 1
        held = process.told.live or process.told.assigned
        self._ledger.kills_with_open_incident += self._bench.observer.open_incidents(held) > 0

    def _bury(self, process: WorkerProcess, status: int) -> None:
        self._take_log(process)
        told = process.told
        process.close()
        if status == -signal.SIGKILL:
            if told.failpoint is not None and told.failpoint[1] == "kill":
                self._count_kill(process, told.failpoint[0])
        else:
            self._ledger.exits[f"{status}"] += 1
            if self._signalled == "zombie":
                self._ledger.zombie(told, status)
            if not self._explained(status):
                last = " | ".join(told.traces[-12:])
                self._ledger.unexpected.append(f"{self.name} ended with {status} ({process.log}): {last}")
        self.process = None
        # As a supervisor would, wait a little before asking for the same cluster again.
        backoff = _BACKOFF_SECONDS if status == _CLUSTER_AWAY else 0.0
        self._start_at = time.monotonic() + self._fate.gone_seconds + backoff

    def _explained(self, status: int) -> bool:
        if status == 0 or status == _HURRIED:
            return self._drain_by is not None
        if status == _FENCED:
            # While a broker or the network is away the broker gives a transaction up by itself, and a member whose
            # answer was lost joins a second time under its own name.
            return self._disturbed or time.monotonic() - self._ledger.weather_at < _WEATHER_SECONDS
        return status == _CLUSTER_AWAY and self._ledger.weather.total() > 0
