"""Several partitions as one sequence, by record timestamp, in bounded memory."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from detector.errors import KafkaUnavailableError, StateMismatchError
from detector.kafka.errors import answered
from detector.kafka.parking import resume_from_position
from detector.records.values import InputPartition, Record

_POLL_RECORDS = 500
_POLL_MS = 500
_CALL_TIMEOUT_MS = 10_000
# A partition that holds either of these waits until it is down to half.
_BUFFER_RECORDS = 2_000
_BUFFER_BYTES = 2 * 1024 * 1024
_PATIENCE_SECONDS = 60.0


class _Buffer:
    """Records of one partition that were fetched and not handed out."""

    def __init__(self, key: TopicPartition, start: int, end: int) -> None:
        self.key = key
        self.end = end
        self.next_fetch = start
        self.records: deque[Record] = deque()
        self.bytes = 0
        self.paused = False

    @property
    def exhausted(self) -> bool:
        """Nothing is left of the range, fetched or not."""
        return not self.records and self.next_fetch >= self.end

    @property
    def full(self) -> bool:
        return len(self.records) >= _BUFFER_RECORDS or self.bytes >= _BUFFER_BYTES

    @property
    def low(self) -> bool:
        return len(self.records) * 2 <= _BUFFER_RECORDS and self.bytes * 2 <= _BUFFER_BYTES

    def put(self, records: list[Record]) -> None:
        inside = [record for record in records if record.offset < self.end]
        self.records.extend(inside)
        self.bytes += sum(map(_size, inside))

    def take(self) -> Record:
        record = self.records.popleft()
        self.bytes -= _size(record)
        return record


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + sum(len(value or b"") for _, value in record.headers)


class MergedHistory:
    """Reads ranges of partitions as one sequence: whichever partition's next record has the least timestamp is next.

    Within a partition the order stays that of the offsets, whatever the timestamps say; equal timestamps come by
    partition number. That is a k-way merge, so the sequence depends on the records and the starting offsets only.

    Args:
        config: Client configuration from `detector.kafka.client.consumer_config`.
        monotonic: Clock for patience.

    Raises:
        KafkaUnavailableError: the cluster does not answer.
    """

    def __init__(self, config: Mapping[str, Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        with answered():
            self._consumer = KafkaConsumer(
                **{
                    **config,
                    "group_id": None,
                    "isolation_level": "read_committed",
                    "auto_offset_reset": "none",
                    "max_poll_records": _POLL_RECORDS,
                    "fetch_max_wait_ms": 100,
                    # What the client fetches ahead comes on top of the buffers here.
                    "max_partition_fetch_bytes": _BUFFER_BYTES,
                    "fetch_max_bytes": 8 * _BUFFER_BYTES,
                }
            )

    def read(self, ranges: Mapping[InputPartition, tuple[int, int]]) -> Iterator[Record]:
        """Records of all ranges (from the first offset up to, not including, the second), merged.

        Raises:
            StateMismatchError: retention deleted a part of a range.
            KafkaUnavailableError: the cluster does not answer, or there was no progress for a minute.
        """
        buffers = {
            TopicPartition(*p): _Buffer(TopicPartition(*p), start, end)
            for p, (start, end) in sorted(ranges.items())
            if start < end
        }
        self._consumer.assign(list(buffers))
        for key, buffer in buffers.items():
            self._consumer.seek(key, buffer.next_fetch)
        heads: list[tuple[int, int, Record]] = []
        headless = set(buffers)
        while headless or heads:
            for key in list(headless):
                buffer = buffers[key]
                if buffer.records:
                    record = buffer.take()
                    heapq.heappush(heads, (record.timestamp, key.partition, record))
                    headless.discard(key)
                elif buffer.exhausted:
                    headless.discard(key)
            if headless:
                self._fill(buffers, headless)
                continue
            if heads:
                _, _, record = heapq.heappop(heads)
                yield record
                headless.add(TopicPartition(record.topic, record.partition))

    def _fill(self, buffers: Mapping[TopicPartition, _Buffer], wanted: set[TopicPartition]) -> None:
        """Fetch until one of the wanted partitions has a record, or turns out to have none left."""
        give_up = self._monotonic() + _PATIENCE_SECONDS
        for buffer in buffers.values():
            if buffer.paused and buffer.low:
                buffer.paused = False
                self._consumer.seek(buffer.key, buffer.next_fetch)
                resume_from_position(self._consumer, buffer.key)
        while True:
            with answered():
                try:
                    polled = self._consumer.poll(timeout_ms=_POLL_MS)
                except OffsetOutOfRangeError as error:
                    raise StateMismatchError(
                        f"records were deleted by retention before they were read: {error}"
                    ) from error
            for key, records in polled.items():
                buffers[key].put(records)
            for buffer in buffers.values():
                if buffer.paused:
                    continue
                # The position steps past transaction markers and aborted records, which are never delivered.
                with answered():
                    position = self._consumer.position(buffer.key, timeout_ms=_CALL_TIMEOUT_MS)
                buffer.next_fetch = max(buffer.next_fetch, position or 0)
                if buffer.full or buffer.next_fetch >= buffer.end:
                    buffer.paused = buffer.full and buffer.next_fetch < buffer.end
                    self._consumer.pause(buffer.key)
            if any(buffers[key].records or buffers[key].exhausted for key in wanted):
                return
            if polled:
                give_up = self._monotonic() + _PATIENCE_SECONDS
            elif self._monotonic() > give_up:
                stuck = ", ".join(f"{key.topic}/{key.partition}" for key in sorted(wanted))
                raise KafkaUnavailableError(f"no records of {stuck} arrived for {_PATIENCE_SECONDS:.0f} s")

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close(autocommit=False, timeout_ms=1000)
