"""Resuming a paused partition for certain."""

from __future__ import annotations

from typing import Any

from kafka import TopicPartition


def resume_from_position(consumer: Any, *partitions: TopicPartition) -> None:
    """Resume partitions so that they are fetched anew, from their present position.

    kafka-python 3.0 sets records aside that it had fetched when a partition was paused, and takes them up again only
    while its slot for the partition in line is None; a drained one is not None. A partition whose records stay aside
    is never fetched again, paused or not. Whoever seeks has no use for these records, so they are dropped.
    """
    fetcher = consumer._fetcher
    for partition in partitions:
        fetcher._paused_partition_records.pop(partition, None)
        fetcher._paused_completed_fetches.pop(partition, None)
    consumer.resume(*partitions)
