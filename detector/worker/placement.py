"""Which partitions a series is seen in: a series that is spread over several is watched as one series in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from detector.records.values import InputPartition

_log = structlog.get_logger(__name__)
_MOST_SERIES = 200_000
_NAMED = 5
_NAME_CHARACTERS = 100
_REMEDY = "publish with the series as the record key, or copy the topic: detector repartition SOURCE TARGET"


@dataclass(slots=True)
class _Stream:
    """Hashes of series names. Two names of one hash among as many as are kept: one chance in a thousand million."""

    first: dict[int, int] = field(default_factory=dict)
    several: dict[int, set[int]] = field(default_factory=dict)
    told: int = 0
    next_count: int = 10


class Placement:
    """Reports series that this worker sees in more than one partition of a stream.

    It only watches: no outcome depends on it. Of each stream the series seen last are remembered, up to a fixed number.
    Partitions of other workers are not known here; ``detector audit`` looks at all of them.

    Args:
        most_series: Most series remembered per stream.
    """

    def __init__(self, most_series: int = _MOST_SERIES) -> None:
        self._most_series = most_series
        self._streams: dict[str, _Stream] = {}

    def observe(self, stream: str, partition: InputPartition, series: Iterable[str]) -> None:
        """Note that these series were seen in a partition; a few that were seen elsewhere are logged by name."""
        known = self._streams.setdefault(stream, _Stream())
        number = partition.partition
        for name in series:
            digest = hash(name)
            first = known.first.setdefault(digest, number)
            if first == number:
                continue
            places = known.several.setdefault(digest, {first})
            if number not in places:
                places.add(number)
                if len(places) == 2:
                    self._tell(stream, partition.topic, known, name, places)
        while len(known.first) > self._most_series:
            oldest = next(iter(known.first))
            del known.first[oldest]
            known.several.pop(oldest, None)

    def _tell(self, stream: str, topic: str, known: _Stream, series: str, places: set[int]) -> None:
        known.told += 1
        if known.told <= _NAMED:
            _log.warning(
                "a series is in several partitions and is watched as one series in each",
                stream=stream,
                topic=topic,
                series=series[:_NAME_CHARACTERS],
                partitions=sorted(places),
                remedy=_REMEDY,
            )
        elif known.told >= known.next_count:
            known.next_count *= 10
            _log.warning(
                "many series are in several partitions", stream=stream, topic=topic, series=known.told, remedy=_REMEDY
            )

    def drop(self, stream: str, partition: InputPartition) -> None:
        """Forget a partition that went away."""
        known = self._streams.get(stream)
        if known is None:
            return
        number = partition.partition
        for digest, places in list(known.several.items()):
            places.discard(number)
            if known.first[digest] == number:
                known.first[digest] = min(places)
            if len(places) < 2:
                del known.several[digest]
        known.first = {digest: first for digest, first in known.first.items() if first != number}

    def several(self, stream: str) -> int:
        """How many series of a stream are seen in more than one of the partitions that are live here."""
        known = self._streams.get(stream)
        return 0 if known is None else len(known.several)
