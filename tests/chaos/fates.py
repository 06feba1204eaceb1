"""What happens to a worker's lives, drawn by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from detector.failpoints import COMMIT_STEPS, RESTORE_STEPS

Kind = Literal["kill-at", "kill", "zombie", "pause", "drain", "live"]
ZOMBIE_STEPS = ("processed", "state-gathered", "begun", "some-sent", "all-sent", "offsets-sent")
_WEIGHTS: dict[Kind, float] = {"kill-at": 0.52, "kill": 0.20, "zombie": 0.15, "pause": 0.06, "drain": 0.07}
_LONG_PAUSE_SECONDS = (7.0, 11.0)
_SHORT_PAUSE_SECONDS = (0.3, 4.0)


@dataclass(frozen=True, slots=True)
class Fate:
    """Of one life.

    Attributes:
        kind: ``kill-at`` a step; ``kill`` after a while; ``zombie``: pauses itself at a step until others have its
            partitions; ``pause`` from outside, at any moment; ``drain`` (SIGTERM); ``live`` on.
        step: Of the failpoint.
        count: At the how-manieth time.
        seconds: After its partitions are live, for what comes from outside.
        pause_seconds: Of ``pause``.
        gone_seconds: Before the next life begins.
    """

    kind: Kind
    step: str = ""
    count: int = 1
    seconds: float = 0.0
    pause_seconds: float = 0.0
    gone_seconds: float = 0.0

    @property
    def failpoint(self) -> str | None:
        """The order for the process."""
        action = {"kill-at": "kill", "zombie": "pause"}.get(self.kind)
        return None if action is None else f"{self.step}:{action}:{self.count}"


class Fates:
    """Endless fates; steps come in shuffled rounds, so that every step has its turn.

    Args:
        rng: By seed.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kill_steps = _rounds(rng, (*COMMIT_STEPS, *RESTORE_STEPS))
        self._zombie_steps = _rounds(rng, ZOMBIE_STEPS)

    def draw(self) -> Fate:
        """The next one."""
        rng = self._rng
        kind = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        gone = self._gone()
        if kind == "kill-at":
            step = next(self._kill_steps)
            return Fate(kind, step, rng.randint(1, 2 if step in RESTORE_STEPS else 8), gone_seconds=gone)
        if kind == "zombie":
            return Fate(kind, next(self._zombie_steps), rng.randint(2, 6), gone_seconds=gone)
        pause = rng.uniform(*(_LONG_PAUSE_SECONDS if rng.random() < 0.3 else _SHORT_PAUSE_SECONDS))
        return Fate(kind, seconds=rng.uniform(0.0, 3.0), pause_seconds=pause, gone_seconds=gone)

    def _gone(self) -> float:
        """Mostly at once, sometimes soon, sometimes after the session: the others have the partitions by then."""
        kind = self._rng.random()
        return 0.0 if kind < 0.65 else self._rng.uniform(0.5, 3.0) if kind < 0.9 else self._rng.uniform(7.0, 9.0)


def _rounds(rng: random.Random, steps: tuple[str, ...]) -> Iterator[str]:
    while True:
        shuffled = list(steps)
        rng.shuffle(shuffled)
        yield from shuffled
