"""The judge: what a reader saw against what an uninterrupted run writes. No Kafka here, so that it can be tested."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One event or dead letter.

    Attributes:
        lane: Within it order counts: partition and series.
        identity: Same thing, same identity, whoever wrote it and however often.
        content: All that a reader sees of it.
    """

    lane: Hashable
    identity: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs, as identities.

    Attributes:
        losses: Expected, never seen.
        repeats: Seen more than once; as often as it was too often.
        foreign: Seen, not expected.
        changed: Seen once at least with another content, or in another lane.
        misplaced: Seen in another order than expected, compared within a lane over what is in both.
    """

    losses: tuple[str, ...]
    repeats: tuple[str, ...]
    foreign: tuple[str, ...]
    changed: tuple[str, ...]
    misplaced: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not any((self.losses, self.repeats, self.foreign, self.changed, self.misplaced))

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {
            "losses": len(self.losses), "repeats": len(self.repeats), "foreign": len(self.foreign),
            "changed": len(self.changed), "order_errors": len(self.misplaced),
        }  # fmt: skip

    def __str__(self) -> str:
        kinds = {
            "lost": self.losses, "repeated": self.repeats, "foreign": self.foreign, "changed": self.changed,
            "out of order": self.misplaced,
        }  # fmt: skip
        told = [
            f"{len(found)} {name} ({', '.join(found[:_SHOWN])}{', ...' if len(found) > _SHOWN else ''})"
            for name, found in kinds.items()
            if found
        ]
        return "; ".join(told) or "no difference"


def compare(expected: Sequence[Item], seen: Sequence[Item]) -> Findings:
    """Compare as multisets, by content, and by order within each lane.

    Args:
        expected: Of an uninterrupted run; identities are distinct.
        seen: In the order of each partition's offsets.

    Raises:
        ValueError: expectations that repeat an identity say nothing.
    """
    by_identity = {item.identity: item for item in expected}
    if len(by_identity) != len(expected):
        raise ValueError("the expected items repeat an identity")
    times = Counter(item.identity for item in seen)
    losses = [item.identity for item in expected if item.identity not in times]
    repeats = [identity for identity, count in times.items() for _ in range(count - 1)]
    foreign = [identity for identity in times if identity not in by_identity]
    changed = {
        item.identity
        for item in seen
        if (wanted := by_identity.get(item.identity)) is not None
        and (wanted.content != item.content or wanted.lane != item.lane)
    }
    return Findings(
        tuple(losses), tuple(repeats), tuple(foreign), tuple(sorted(changed)), tuple(_misplaced(expected, seen))
    )


def _misplaced(expected: Iterable[Item], seen: Iterable[Item]) -> list[str]:
    wanted, found = _by_lane(expected), _by_lane(seen)
    misplaced: list[str] = []
    for lane, identities in wanted.items():
        there = set(found.get(lane, ()))
        common = set(identities) & there
        left = [identity for identity in identities if identity in common]
        right = [identity for identity in found.get(lane, ()) if identity in common]
        misplaced.extend(b for a, b in zip(left, right, strict=True) if a != b)
    return misplaced


def _by_lane(items: Iterable[Item]) -> dict[Hashable, tuple[str, ...]]:
    """Identities of each lane at their first appearance."""
    lanes: dict[Hashable, dict[str, None]] = defaultdict(dict)
    for item in items:
        lanes[item.lane].setdefault(item.identity)
    return {lane: tuple(identities) for lane, identities in lanes.items()}
