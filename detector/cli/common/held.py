"""What a topic holds, for people whose range has none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.kafka.history import History

_NS_PER_MS = 1_000_000


def held_by(history: History, topic: str) -> str:
    """Say from when to when the records of a topic are; nothing else may be reading with ``history``.

    Raises:
        KafkaUnavailableError: the cluster does not answer, or the topic is gone.
    """
    from detector.alerting.timestamps import format_time

    stamps = history.stamps(history.partitions(topic))
    if stamps is None:
        return f"topic {topic} is empty"
    oldest, newest = (format_time(stamp * _NS_PER_MS)[:19] + "Z" for stamp in stamps)
    return f"topic {topic} holds records with timestamps from {oldest} to {newest}"
