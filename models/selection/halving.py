"""Successive halving: all candidates for a little while, the better half for longer, until few are left.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (AISTATS 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.errors import ModelsError
from models.selection.attempts import Attempt, Outcome, TryOut
from models.selection.candidates import Candidate

FIRST_EPOCHS = 2
GROWTH = 4
FINALISTS = 2
MOST_EPOCHS = 32
LATER_SEEDS = 1
"""Seeds that finalists are trained with besides the first."""

Order = Callable[[Sequence[Outcome], Outcome], Sequence[int]]
"""From outcomes, and that of the recipe, which was tried first, to their numbers, the best first."""
Tell = Callable[[str, int, int], None]
"""Is told what is about to be trained: candidate, epochs, seed."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was tried.

    Attributes:
        attempts: In order.
        passed_over: Why a candidate was not tried, or not for longer, by its name.
    """

    attempts: tuple[Attempt, ...]
    passed_over: dict[str, str]

    def latest(self, seed: int) -> tuple[Attempt, ...]:
        """The longest training of each candidate with a seed."""
        found = {attempt.candidate: attempt for attempt in self.attempts if attempt.seed == seed}
        return tuple(found.values())


def search(
    candidates: Sequence[Candidate], try_out: TryOut, order: Order, budget_seconds: float, clock: Callable[[], float],
    seed: int = 0, tell: Tell | None = None,
) -> Search:  # fmt: skip
    """Try candidates, the cheapest first.

    No training is begun that would, by what the shorter ones took, end after the budget; the first is an exception,
    without which there would be nothing to choose. The same clock and outcomes lead to the same search.

    Args:
        candidates: The cheapest first.
        try_out: Trains one.
        order: Says which outcomes are better.
        budget_seconds: For all together.
        clock: Seconds that never run backwards.
        seed: The first; finalists are also trained with those that follow it.
        tell: Is told before each training.
    """
    began = clock()
    attempts: list[Attempt] = []
    passed_over: dict[str, str] = {}
    last: dict[str, Attempt] = {}

    def attempt(candidate: Candidate, epochs: int, with_seed: int, expected: float) -> bool:
        start = clock()
        if attempts and start - began + expected > budget_seconds:
            passed_over.setdefault(candidate.name, f"out of time before {epochs} epochs with seed {with_seed}")
            return False
        if tell is not None:
            tell(candidate.name, epochs, with_seed)
        try:
            outcomes = try_out(candidate, epochs, with_seed)
        except ModelsError as error:
            passed_over[candidate.name] = str(error)
            return False
        seconds = clock() - start
        last[candidate.name] = Attempt(candidate.name, epochs, with_seed, seconds, outcomes)
        attempts.append(last[candidate.name])
        return True

    epochs = FIRST_EPOCHS
    # The next is dearer than the last, if in doubt.
    left = [
        one for one in candidates if attempt(one, epochs, seed, max((tried.seconds for tried in attempts), default=0.0))
    ]
    # More epochs and other seeds change nothing about the others, which take nobody's place.
    left = [one for one in left if one.repeated]
    while left and epochs * GROWTH <= MOST_EPOCHS:
        left = _best(left, attempts, seed, order, max(FINALISTS, (len(left) + 1) // 2))
        epochs *= GROWTH
        for one in left:
            # What could not be confirmed by another seed would not be chosen.
            attempt(one, epochs, seed, last[one.name].would_take(epochs) * (1 + LATER_SEEDS))
    for one in _best(left, attempts, seed, order, FINALISTS):
        reached = max(tried.epochs for tried in attempts if tried.candidate == one.name)
        for more in range(1, LATER_SEEDS + 1):
            attempt(one, reached, seed + more, last[one.name].would_take(reached))
    return Search(tuple(attempts), passed_over)


def _best(
    left: Sequence[Candidate], attempts: Sequence[Attempt], seed: int, order: Order, count: int
) -> list[Candidate]:
    """The candidates with the best outcomes, in the order in which they came."""
    if not left:
        return []
    outcomes: list[tuple[str, Outcome]] = []
    for one in left:
        last = [tried for tried in attempts if tried.candidate == one.name and tried.seed == seed][-1]
        outcomes += [(one.name, outcome) for outcome in last.outcomes]
    names: list[str] = []
    for number in order([outcome for _, outcome in outcomes], attempts[0].outcomes[0]):
        if outcomes[number][0] not in names:
            names.append(outcomes[number][0])
    return [one for one in left if one.name in names[:count]]
