"""Which offsets a range of event times means, and how far before it to begin."""

from __future__ import annotations

from collections.abc import Sequence

from detector.cli.replay.opened import Range
from detector.kafka.history import History
from detector.moments import NS_PER_SECOND, parse_span
from detector.records.values import InputPartition
from models.bundle import Bundle

_LOOK_BACK_WINDOWS = 3
_LOOK_BACK_MEANS = 5
_LOOK_BACK_WITHOUT_PERIOD_SECONDS = 86_400.0
# Record timestamps may differ from event times by this much; the range is widened by it, and then filtered by event
# time.
_TIMESTAMP_MARGIN_SECONDS = 3600.0


def look_back_seconds(bundle: Bundle, wanted: Range) -> float:
    """How far before a range a model reads silently, so that windows are full and memory is about what it was.

    Raises:
        ConfigError: what was asked for is no duration.
    """
    if wanted.look_back is not None:
        return parse_span(wanted.look_back, "--look-back")
    period = bundle.spec.period_seconds
    if period is None:
        return _LOOK_BACK_WITHOUT_PERIOD_SECONDS
    # What is carried along a series has no end; behind several times its longest mean it hardly counts any more.
    carried = bundle.warm_up + _LOOK_BACK_MEANS * bundle.rule.scales[-1]
    return period * (_LOOK_BACK_WINDOWS * bundle.spec.window + carried)


def bounds_of(
    history: History,
    partitions: Sequence[InputPartition],
    wanted: Range,
    back_seconds: float,
    *,
    stamped_later: bool,
) -> dict[InputPartition, tuple[int, int]]:
    """First offset, and first one that is too late, of each partition; times widened by the margin.

    Args:
        history: Of the cluster.
        partitions: Of one topic.
        wanted: What was asked for.
        back_seconds: To begin so much earlier.
        stamped_later: Whether the event time is a field of the record. Then history that is loaded late, and what a
            device kept while it was cut off, is stamped any time after it, so that only the end of the topic ends it.
    """
    start, stop = history.first_offsets(partitions), history.end_offsets(partitions)
    end = dict(stop)
    if wanted.since_ns is not None:
        stamp = wanted.since_ns / NS_PER_SECOND - back_seconds - _TIMESTAMP_MARGIN_SECONDS
        found = history.offsets_at(partitions, max(0, int(stamp * 1000)))
        start = {p: end[p] if offset is None else offset for p, offset in found.items()}
    if wanted.until_ns is not None and not stamped_later:
        stamp = wanted.until_ns / NS_PER_SECOND + _TIMESTAMP_MARGIN_SECONDS
        found = history.offsets_at(partitions, int(stamp * 1000))
        stop = {p: end[p] if offset is None else offset for p, offset in found.items()}
    if wanted.from_offset is not None:
        start = {p: max(offset, wanted.from_offset) for p, offset in start.items()}
    if wanted.to_offset is not None:
        stop = {p: min(offset, wanted.to_offset) for p, offset in stop.items()}
    return {p: (start[p], stop[p]) for p in partitions}
