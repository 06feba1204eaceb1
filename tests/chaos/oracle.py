"""The uninterrupted run: the pipeline, in this process, over the records that were published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from detector.alerting.dead_letter import HEADER_PREFIX
from detector.alerting.events import decode, encode
from detector.cli.common.assemble import open_bundle, stream_context
from detector.pipeline.partition import PartitionPipeline
from detector.settings import Settings
from tests.chaos.checker import Item

_CHUNK = 2000
_PLACE = tuple(f"{HEADER_PREFIX}{part}" for part in ("topic", "partition", "offset"))


def expected(settings: Settings, cluster_id: str, inputs: Mapping[int, Sequence[Any]]) -> tuple[list[Item], list[Item]]:
    """Events and dead letters of one stream, partition by partition, in record order.

    Args:
        settings: Of the worker.
        cluster_id: Part of every incident's identity.
        inputs: Records by partition, all of them, from the first offset on.
    """
    (stream,) = settings.streams
    context = stream_context(stream, open_bundle(stream.model), cluster_id)
    events: list[Item] = []
    letters: list[Item] = []
    for partition, records in sorted(inputs.items()):
        pipeline = PartitionPipeline(context, partition)
        for start in range(0, len(records), _CHUNK):
            outcome = pipeline.process(records[start : start + _CHUNK])
            events += [event_item(partition, series.encode(), encode(event)) for series, event in outcome.events]
            letters += [
                letter_item(partition, letter.key, letter.value, letter.headers) for _, letter in outcome.dead_letters
            ]
    return events, letters


def event_item(partition: int, key: bytes | None, value: bytes) -> Item:
    """An event as the checker sees it. Key and bytes both count: equal events are equal bytes."""
    return Item((partition, key), decode(value).event_id, value)


def letter_item(partition: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Item:
    """A dead letter; the place of the original record is what makes it that one."""
    told = [(name, bytes(text)) for name, text in headers]
    where = dict(told)
    identity = "/".join(where.get(name, b"?").decode("utf-8", "replace") for name in _PLACE)
    return Item((partition, key), identity, msgspec.msgpack.encode((key, value, told)))


def seen_events(records: Iterable[Any]) -> list[Item]:
    """Records of the events topic as the checker sees them."""
    return [event_item(record.partition, record.key, record.value) for record in records]


def seen_letters(records: Iterable[Any]) -> list[Item]:
    """Records of the dead-letter topic as the checker sees them."""
    return [letter_item(record.partition, record.key, record.value, record.headers) for record in records]
