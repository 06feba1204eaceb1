"""A seed gives the same run again, and every step has its turn; a run that shows nothing is told from one that does."""

from __future__ import annotations

import random
from itertools import islice

from detector.failpoints import COMMIT_STEPS, RESTORE_STEPS, VARIABLE, failpoints, silent
from tests.chaos.fates import ZOMBIE_STEPS, Fate, Fates
from tests.chaos.report import REQUIRED, shortfalls
from tests.chaos.workload import Workload


def drawn(seed: int, count: int = 300) -> list[Fate]:
    fates = Fates(random.Random(seed))
    return [fates.draw() for _ in range(count)]


def test_a_seed_gives_the_same_fates() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_step_has_its_turn() -> None:
    kills = [fate.step for fate in drawn(3) if fate.kind == "kill-at"]
    steps = {*COMMIT_STEPS, *RESTORE_STEPS}
    assert set(kills[: len(steps)]) == steps
    zombies = [fate.step for fate in drawn(3) if fate.kind == "zombie"]
    assert set(zombies[: len(ZOMBIE_STEPS)]) == set(ZOMBIE_STEPS)


def test_orders_are_understood_by_the_worker() -> None:
    for fate in drawn(4):
        if fate.failpoint is not None:
            assert failpoints({VARIABLE: fate.failpoint}) is not silent


def test_a_seed_gives_the_same_records() -> None:
    first, again, other = (list(islice(Workload(seed, 4, 16).records(), 3000)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_run_in_which_little_happened_does_not_count() -> None:
    enough = dict(REQUIRED)
    assert shortfalls(enough, REQUIRED) == []
    assert shortfalls({**enough, "zombie_commits": 9}, REQUIRED) == ["zombie commits: 9, at least 10 are needed"]
