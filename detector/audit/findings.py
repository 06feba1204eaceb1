"""What an audit finds, kept within bounds: every finding is counted, the first of each kind are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from detector.records.values import InputPartition

Subject = Literal["event", "dead letter", "state"]
Kind = Literal["missing", "repeated", "unexpected", "different", "out of order", "torn", "unreadable"]

MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        subject: What it is about.
        kind: What is wrong with it.
        certain: False when an unknown starting state could be the reason.
        stream: Name of the stream.
        partition: Of the input.
        offset: Record that it belongs to, or the position of the partition.
        series: If it belongs to one.
        id: Of the event.
        detail: For people.
        fields: Names of what differs.
    """

    subject: Subject
    kind: Kind
    certain: bool
    stream: str
    partition: InputPartition
    offset: int
    series: str | None = None
    id: str | None = None
    detail: str = ""
    fields: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[Subject, Kind]:
        """What it is counted under."""
        return self.subject, self.kind


@dataclass(slots=True)
class Findings:
    """All findings of an audit.

    Attributes:
        counts: Certain ones by subject and kind.
        undetermined: Those that an unknown starting state could be the reason of.
        kept: The first of each group, at most `MOST_KEPT`.
    """

    counts: Counter[tuple[Subject, Kind]] = field(default_factory=Counter)
    undetermined: Counter[tuple[Subject, Kind]] = field(default_factory=Counter)
    kept: dict[tuple[Subject, Kind, bool], list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it if it is among the first."""
        (self.counts if finding.certain else self.undetermined)[finding.group] += 1
        kept = self.kept.setdefault((*finding.group, finding.certain), [])
        if len(kept) < MOST_KEPT:
            kept.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        """The findings that were kept, grouped."""
        for group in self.kept.values():
            yield from group
