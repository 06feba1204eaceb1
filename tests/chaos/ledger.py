"""What a run did and met: kills, zombies, recoveries, ways to end."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.workers import Told


@dataclass(slots=True)
class Ledger:
    """Counted while the run goes on.

    Attributes:
        kills: By step; ``any moment`` for those from outside.
        kills_with_open_incident: A reader knew of an open incident on a partition of the killed worker.
        zombies: Paused past their session while others took over: how the commit that they then attempted ended.
        after_deletion: Restorations of partitions whose older input was deleted by then.
        recovery_seconds: From process start to all of its partitions live.
        restore_seconds: Of single partitions, as the worker tells it.
        exits: By status, other than by our SIGKILL.
        weather: Faults of brokers and network.
        weather_at: Monotonic time at which one began or ended last.
        unexpected: Ends that no fault explains, with what the worker said last.
    """

    kills: Counter[str] = field(default_factory=Counter)
    kills_with_open_incident: int = 0
    zombies: Counter[str] = field(default_factory=Counter)
    restorations: int = 0
    after_deletion: int = 0
    read_again: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    restore_seconds: list[float] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    weather_at: float = float("-inf")
    lives: int = 0
    pauses: int = 0
    drains: int = 0
    unexpected: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """In all."""
        return self.kills.total()

    @property
    def zombie_commits(self) -> int:
        """Attempted in all."""
        return self.zombies.total()

    def zombie(self, told: Told, status: int | None) -> None:
        """A worker woke up after others had its partitions; what became of its commit."""
        if not told.attempted:
            return
        if told.let_through:
            how = "let through"
        elif status == 6:
            how = "fenced"
        else:
            how = "refused" if told.refused else "unknown outcome, read back" if told.unknown else "not finished"
        self.zombies[how] += 1

    def add(self, other: Ledger) -> None:
        """Take another run's into this one."""
        for name in ("kills", "zombies", "exits", "weather"):
            getattr(self, name).update(getattr(other, name))
        for name in ("recovery_seconds", "restore_seconds", "unexpected"):
            getattr(self, name).extend(getattr(other, name))
        for name in (
            "kills_with_open_incident", "restorations", "after_deletion", "read_again", "lives", "pauses", "drains",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "lives": self.lives,
            "kills": self.killed,
            "kills_by_step": dict(sorted(self.kills.items())),
            "kills_with_open_incident": self.kills_with_open_incident,
            "zombie_commits": self.zombie_commits,
            "zombie_commits_by_outcome": dict(sorted(self.zombies.items())),
            "pauses": self.pauses,
            "drains": self.drains,
            "weather": dict(sorted(self.weather.items())),
            "restorations": self.restorations,
            "restorations_after_deletion": self.after_deletion,
            "records_read_again": self.read_again,
            "recovery_seconds": spread(self.recovery_seconds),
            "restore_seconds": spread(self.restore_seconds),
            "exits": dict(sorted(self.exits.items())),
            "unexpected": self.unexpected,
        }


def spread(values: list[float]) -> dict[str, float] | None:
    """Median and worst."""
    if not values:
        return None
    return {"median": round(statistics.median(values), 3), "worst": round(max(values), 3)}
