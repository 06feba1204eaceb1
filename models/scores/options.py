"""How a score is made: every choice in one place, with its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from models.errors import SpecError
from models.outputs import ESTIMATES, MAYBE, RECONSTRUCTION, RHYTHMS
from models.scores.channels import KINDS

LINKS = ("plain", "log", "surprise")
MOST_SCALE = 4096
MOST_TAIL = 64
"""Of each held-out window, so many last rows are kept for scores to be fitted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """Options of a score.

    Attributes:
        kind: What a residual counts, one of `KINDS`.
        parts: Which estimates are compared with the window, some of `models.outputs.ESTIMATES`; empty: those that the
            architecture is best judged by, which training fills in. A rhythm with a question mark, such as ``daily?``,
            counts only if held-out data has it.
        tail: How many of the last rows of a reconstruction count.
        scales: The errors are averaged over each of these numbers of samples, so that short and long faults show.
        link: How the averages of all parts and scales become one score. ``plain``: their mean. ``log``: the geometric
            mean of 1 + average / its usual maximum, less 1, so that no part and no scale drowns the others.
            ``surprise``: the mean of how rare each average is in the series' own past, which also compares series
            that differ and follows one that changes.

    Raises:
        SpecError: a value is out of range; the message names it.
    """

    kind: str = "standardised"
    parts: tuple[str, ...] = ()
    tail: int = 1
    scales: tuple[int, ...] = (1, 10, 30)
    link: str = "log"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError(f"there is no score {self.kind!r}; choose one of: {', '.join(KINDS)}")
        if self.link not in LINKS:
            raise SpecError(f"there is no link {self.link!r}; choose one of: {', '.join(LINKS)}")
        names = [name.removesuffix(MAYBE) for name in self.parts]
        if asked := [name for name in self.parts if name.endswith(MAYBE) and name.removesuffix(MAYBE) not in RHYTHMS]:
            raise SpecError(f"{asked[0]!r}: only a rhythm may be left open; write {asked[0].removesuffix(MAYBE)}")
        if self.parts and all(name.endswith(MAYBE) for name in self.parts):
            raise SpecError("a score needs a part that counts in any case, besides those with a question mark")
        if odd := [name for name in names if name not in ESTIMATES]:
            raise SpecError(f"a score knows no {odd[0]!r}; choose of: {', '.join(ESTIMATES)}")
        if len(set(names)) != len(names):
            raise SpecError("a score names a part twice")
        if not 1 <= self.tail <= MOST_TAIL:
            raise SpecError(f"tail is {self.tail}; it must be from 1 to {MOST_TAIL} rows")
        if not self.scales or list(self.scales) != sorted(set(self.scales)):
            raise SpecError(f"scales are {list(self.scales)}; give different numbers of samples, ascending")
        if not (self.scales[0] >= 1 and self.scales[-1] <= MOST_SCALE):
            raise SpecError(f"scales are {list(self.scales)}; they must be from 1 to {MOST_SCALE} samples")

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the parts, those with a question mark included."""
        return tuple(name.removesuffix(MAYBE) for name in self.parts)

    def decided(self, left: Callable[[str], float], most: float) -> ScoreOptions:
        """Decide which of the parts with a question mark count.

        Args:
            left: Share of the variance that an estimate leaves in held-out data.
            most: Those that leave more do not count.
        """
        kept = tuple(
            name.removesuffix(MAYBE)
            for name in self.parts
            if not name.endswith(MAYBE) or left(name.removesuffix(MAYBE)) <= most
        )
        return replace(self, parts=kept)

    def parts_of(self, available: Mapping[str, object]) -> tuple[str, ...]:
        """The parts to look at, of those that a model gives.

        Raises:
            SpecError: the model does not give one that was asked for.
        """
        if missing := [name for name in self.parts if name not in available]:
            raise SpecError(
                f"this model gives no {missing[0]}; score one of: {', '.join(n for n in ESTIMATES if n in available)}"
            )
        return self.parts or (RECONSTRUCTION,)
