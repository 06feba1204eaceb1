"""Bounded reading of a topic's past, outside of any group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from detector.errors import KafkaUnavailableError, MissingTopicError, StateMismatchError
from detector.kafka.errors import answered
from detector.kafka.parking import resume_from_position
from detector.records.values import InputPartition, Record

_CALL_TIMEOUT_MS = 10_000
_METADATA_SECONDS = 3.0
# Enough to meet records at an end that holds markers of transactions too.
_LOOKED_AT = 100
Chunk = tuple[InputPartition, Sequence[Record]]


class History:
    """Reads offset ranges of partitions, `read_committed`, and never touches a group's offsets.

    Args:
        config: Client configuration from `detector.kafka.client.consumer_config`.
        max_poll_records: Most records a chunk.

    Raises:
        KafkaUnavailableError: the cluster does not answer.
    """

    def __init__(self, config: Mapping[str, Any], max_poll_records: int = 5000) -> None:
        with answered():
            self._consumer = KafkaConsumer(
                **{
                    **config,
                    "group_id": None,
                    "enable_auto_commit": False,
                    "isolation_level": "read_committed",
                    "auto_offset_reset": "none",
                    "max_poll_records": max_poll_records,
                    "fetch_max_wait_ms": 100,
                }
            )

    def partitions(self, topic: str) -> list[InputPartition]:
        """All partitions of a topic.

        Raises:
            MissingTopicError: there is no such topic.
            KafkaUnavailableError: the cluster does not answer.
        """
        # A client that has only just started may not have the cluster's metadata yet.
        deadline = time.monotonic() + _METADATA_SECONDS
        with answered():
            while not (numbers := self._consumer.partitions_for_topic(topic)) and time.monotonic() < deadline:
                time.sleep(0.1)
        if not numbers:
            raise MissingTopicError(f"topic {topic!r} does not exist on the cluster; check the name, or create it")
        return [InputPartition(topic, number) for number in sorted(numbers)]

    def first_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        """Oldest retained offset of each partition.

        Raises:
            StateMismatchError: a topic is gone.
            KafkaUnavailableError: the cluster does not answer.
        """
        keys = [TopicPartition(*partition) for partition in partitions]
        return self._asked(keys, self._consumer.beginning_offsets)

    def end_offsets(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        """Last stable offset of each partition: where a `read_committed` reader gets to, now.

        Raises:
            StateMismatchError: a topic is gone.
            KafkaUnavailableError: the cluster does not answer.
        """
        keys = [TopicPartition(*partition) for partition in partitions]
        return self._asked(keys, self._consumer.end_offsets)

    def _asked(self, keys: Sequence[TopicPartition], ask: Callable[..., Any]) -> dict[InputPartition, int]:
        with answered():
            try:
                return {InputPartition(*key): offset for key, offset in ask(keys, timeout_ms=_CALL_TIMEOUT_MS).items()}
            except KafkaTimeoutError:
                # The client asks for a topic that does not exist until its time is up, and does not say so.
                self._check_there({key.topic for key in keys})
                raise

    def _check_there(self, topics: set[str]) -> None:
        """Ask the cluster whether it has these topics; in bounded time, which the client's own question is not.

        Raises:
            StateMismatchError: one is gone.
            KafkaError: no answer in time.
        """
        consumer, cluster = self._consumer, self._consumer._cluster
        before, cluster.need_all_topic_metadata = cluster.need_all_topic_metadata, True
        try:
            consumer._net.run(consumer._manager.wait_for, cluster.request_update(), _CALL_TIMEOUT_MS)
        finally:
            cluster.need_all_topic_metadata = before
        for topic in sorted(topics):
            if cluster.partitions_for_topic(topic) is None:
                raise StateMismatchError(
                    f"the topic {topic!r} is gone: it was deleted while it was in use. Restore it with what it held; "
                    "if that was state, you can also set a new worker.group and topics.state to begin anew"
                )

    def offsets_at(self, partitions: Sequence[InputPartition], timestamp_ms: int) -> dict[InputPartition, int | None]:
        """First offset whose record is stamped at or after a time; None where there is no such record.

        Args:
            partitions: To look at.
            timestamp_ms: Milliseconds since the epoch of Unix, UTC.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        with answered():
            found = self._consumer.offsets_for_times(
                {TopicPartition(*partition): timestamp_ms for partition in partitions}, timeout_ms=_CALL_TIMEOUT_MS
            )
        return {InputPartition(*k): None if v is None else v.offset for k, v in found.items()}

    def stamps(self, partitions: Sequence[InputPartition]) -> tuple[int, int] | None:
        """Least and greatest timestamp at the beginnings and ends of partitions, in milliseconds; None without records.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        first, end = self.first_offsets(partitions), self.end_offsets(partitions)
        heads = {p: (first[p], min(first[p] + _LOOKED_AT, end[p])) for p in partitions}
        tails = {p: (max(first[p], end[p] - _LOOKED_AT), end[p]) for p in partitions}
        found = [
            record.timestamp
            for ranges in (heads, tails)
            for chunk in self.read(ranges)
            if chunk is not None
            for record in chunk[1]
        ]
        return (min(found), max(found)) if found else None

    def read(
        self,
        ranges: Mapping[InputPartition, tuple[int, int]],
        wait_seconds: float = 0.5,
        patience_seconds: float = 60.0,
    ) -> Iterator[Chunk | None]:
        """Records of each partition from the first offset of its range up to, not including, the second.

        Partitions are interleaved as the broker delivers them; within one, records come in offset order. One range is
        read at a time by one caller.

        Args:
            ranges: Offsets by partition.
            wait_seconds: Longest that a step may block.
            patience_seconds: Longest without any progress.

        Yields:
            A chunk, or None when ``wait_seconds`` passed without one, so that the caller can do something else in
            between.

        Raises:
            StateMismatchError: retention deleted a part of the range.
            KafkaUnavailableError: the cluster does not answer, or there was no progress for ``patience_seconds``.
        """
        left = {TopicPartition(*p): end for p, (start, end) in ranges.items() if start < end}
        self._consumer.assign(list(left))
        # The client keeps a partition paused when it is assigned again, such as by an earlier read of the same one.
        resume_from_position(self._consumer, *left)
        for partition, (start, end) in ranges.items():
            if start < end:
                self._consumer.seek(TopicPartition(*partition), start)
        idle_steps = 0
        while left:
            progressed = False
            with answered():
                try:
                    polled = self._consumer.poll(timeout_ms=int(wait_seconds * 1000))
                except OffsetOutOfRangeError as error:
                    raise StateMismatchError(
                        f"a part of the range to read was deleted by retention: {error}"
                    ) from error
            for key, records in polled.items():
                if key not in left:
                    continue
                end = left[key]
                inside = records if records[-1].offset < end else [record for record in records if record.offset < end]
                if inside:
                    progressed = True
                    yield InputPartition(*key), inside
            for key in list(left):
                # The position steps past transaction markers and aborted records, which are never delivered.
                with answered():
                    position = self._consumer.position(key, timeout_ms=_CALL_TIMEOUT_MS)
                if position is not None and position >= left[key]:
                    del left[key]
                    self._consumer.pause(key)
                    progressed = True
            idle_steps = 0 if progressed else idle_steps + 1
            if left and not progressed:
                if idle_steps * wait_seconds > patience_seconds:
                    stuck = ", ".join(f"{key.topic}/{key.partition}" for key in left)
                    raise KafkaUnavailableError(f"no records of {stuck} arrived for {patience_seconds:.0f} s")
                yield None

    def close(self) -> None:
        """Close the connections."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=1000)
        except KafkaError:  # reading has no effect that closing could complete
            return
