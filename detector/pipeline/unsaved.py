"""Which series of a partition have records that no snapshot of theirs holds, and which records some hold already."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Unsaved:
    """What a partition's snapshots lack; it decides from which offset on a restart reads again.

    Attributes:
        since: Series with the first record that the snapshot of each lacks; in the order of these offsets, since
            entries are only appended.
        included: Series with the first record that its restored snapshot does not hold; older ones are passed over.
            Empty once all of them have been passed.
        markers: Forgotten series with the offset from which on nothing is known of them.
    """

    since: dict[str, int] = field(default_factory=dict)
    included: dict[str, int] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=dict)

    def take_over(self, since: Mapping[str, int]) -> None:
        """Series lack what they lacked in a pipeline that this one's follows."""
        self.since = dict(since)

    def replay_from(self, next_offset: int) -> int:
        """Oldest offset that a restart would have to read again, given that ``next_offset`` is committed."""
        return next(iter(self.since.values()), next_offset)

    def due(self, next_offset: int, max_behind: int, most: int) -> list[str]:
        """Up to ``most`` series whose snapshot lacks records from over ``max_behind`` offsets back, longest first."""
        found: list[str] = []
        for series, since in self.since.items():
            if next_offset - since <= max_behind or len(found) >= most:
                break
            found.append(series)
        return found

    def saved(self, series: str, next_offset: int, *, forgotten: bool) -> None:
        """A snapshot holds all records of the series before ``next_offset``; of a forgotten one it is but a marker."""
        self.since.pop(series, None)
        if forgotten:
            self.markers[series] = next_offset

    def expired_markers(self, replay_from: int, known: Container[str]) -> list[str]:
        """Take out markers that no restart can need any more, now that none reads below ``replay_from``.

        Args:
            replay_from: From `replay_from`.
            known: Series that have come back since; a snapshot has taken their marker's place, or will.
        """
        passed = [series for series, offset in self.markers.items() if offset <= replay_from]
        for series in passed:
            del self.markers[series]
        return [series for series in passed if series not in known]
