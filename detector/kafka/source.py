"""The live input: a group consumer whose rebalances are recorded, never acted on, inside the client's callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    InvalidSessionTimeoutError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from detector.errors import ConfigError, FencedError
from detector.kafka.assignment import Assignment
from detector.kafka.assignor import OwnedNowAssignor, claim_what_is_owned
from detector.kafka.membership import Membership
from detector.kafka.parking import resume_from_position
from detector.records.values import InputPartition, Record
from detector.settings import OFFSETS_CALL_SECONDS, WorkerSettings

_HEARTBEATS_PER_SESSION = 3.5
_CALL_TIMEOUT_MS = int(OFFSETS_CALL_SECONDS * 1000)
_JOIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought.

    Attributes:
        records: Records of partitions that are owned and not paused, in offset order.
        dropped: Partitions that this member no longer owns; whatever is held for them must go, before anything else.
        assigned: Partitions that it owns anew. They are paused, without a usable position, until `GroupSource.resume`.
        membership: To be sent with the offsets of these records.
    """

    records: Mapping[InputPartition, Sequence[Record]]
    dropped: tuple[InputPartition, ...]
    assigned: tuple[InputPartition, ...]
    membership: Membership


class GroupSource:
    """Consumes the streams' topics as a member of the worker's group.

    Args:
        config: Client configuration from `detector.kafka.client.consumer_config`.
        worker: Group, instance, membership and batch sizes.
        topics: Input topics of all streams.
    """

    def __init__(self, config: Mapping[str, Any], worker: WorkerSettings, topics: Sequence[str]) -> None:
        session_ms = int(worker.session_timeout_seconds * 1000)
        self._assignment = Assignment()
        self._consumer = KafkaConsumer(
            **{
                **config,
                "group_id": worker.group,
                "group_instance_id": worker.instance if worker.static_membership else None,
                "enable_auto_commit": False,
                # Only a read_committed consumer waits for stable offsets when it takes over a partition.
                "isolation_level": "read_committed",
                # No silent jump, ever: where to begin is decided by recovery, which then seeks.
                "auto_offset_reset": "none",
                "partition_assignment_strategy": (OwnedNowAssignor,),
                "max_poll_records": worker.max_poll_records,
                "session_timeout_ms": session_ms,
                "heartbeat_interval_ms": int(session_ms / _HEARTBEATS_PER_SESSION),
                "max_poll_interval_ms": int(worker.max_poll_interval_seconds * 1000),
                "fetch_max_wait_ms": 100,
            }
        )
        claim_what_is_owned(self._consumer)
        self._consumer.subscribe(topics=list(topics), listener=self._assignment)
        self._held: set[InputPartition] = set()

    @property
    def owned(self) -> frozenset[InputPartition]:
        """Partitions of this member as of the last poll."""
        return self._assignment.owned

    def poll(self, timeout_seconds: float, max_records: int | None = None) -> Poll:
        """Fetch what is there, and report what happened to the assignment meanwhile.

        Args:
            timeout_seconds: Longest wait for records; while the group gives out a new assignment it may take a second.
            max_records: Most records to bring, over all partitions; ``worker.max_poll_records`` without it.

        Raises:
            ConfigError: the brokers do not accept worker.session_timeout_seconds.
            FencedError: another process joined the group under this worker's instance name.
            KafkaError: the client gave up on something else; polling again may succeed.
        """
        fetched: Mapping[TopicPartition, Sequence[Record]] = {}
        if self._consumer._coordinator.need_rejoin():
            # kafka-python 3.0 takes the result of joining only if that ends within a poll; if it ends between two, the
            # next one joins anew. With short polls and work in between it would never get there, nor would the others.
            timeout_seconds = max(timeout_seconds, _JOIN_SECONDS)
        try:
            fetched = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        except FencedInstanceIdError as error:
            raise FencedError(
                "another worker joined the group with the same worker.instance: give each worker a name of its own; or "
                "the answer to this one's joining was lost on the way, so start it again"
            ) from error
        except InvalidSessionTimeoutError as error:
            raise ConfigError(
                "the brokers do not accept worker.session_timeout_seconds; set it between their "
                "group.min.session.timeout.ms (6 s unless changed) and group.max.session.timeout.ms (30 min)"
            ) from error
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            named = self._named(error)
            if not (named and named <= self._assignment.newly_assigned()):
                return self._begin_again(error)
            # Else the client tried the committed offset; recovery decides where to begin, and says what was lost.
        except NoOffsetForPartitionError:
            # A partition assigned within this very call has no position yet; it gets one below.
            fetched = {}
        membership = Membership(self._consumer.group_metadata())
        dropped, assigned = self._settle(membership)
        records = {
            partition: batch
            for partition, batch in ((InputPartition(*key), batch) for key, batch in fetched.items())
            if partition in self.owned and partition not in self._held
        }
        return Poll(records, dropped, assigned, membership)

    def _begin_again(self, error: OffsetOutOfRangeError | LogTruncationError) -> Poll:
        """Hand partitions whose position was deleted back to recovery.

        Deleted by retention, or the topic was created again, or a replica that had less became the leader. For the
        latter two the client has another error where it hears of them before it fetches, and would raise it for ever.

        The position says little: this member may have slept while others read on and lost the partition without knowing
        it yet. Recovery asks for the group's offset, and only if that was deleted too is input lost.
        """
        membership = Membership(self._consumer.group_metadata())
        dropped, assigned = self._settle(membership)
        lost = self._named(error) & self.owned or set(self.owned)
        for partition in lost:
            self.hold(partition)
        return Poll({}, tuple(sorted(lost | set(dropped))), tuple(sorted(lost | set(assigned))), membership)

    @staticmethod
    def _named(error: OffsetOutOfRangeError | LogTruncationError) -> set[InputPartition]:
        """Partitions whose position is out of range."""
        if isinstance(error, LogTruncationError):
            named = error.divergent_offsets
        else:
            named = error.args[0] if error.args and isinstance(error.args[0], Mapping) else ()
        return {InputPartition(*partition) for partition in named}

    def _settle(self, membership: Membership) -> tuple[tuple[InputPartition, ...], tuple[InputPartition, ...]]:
        """Partitions that went and that came, of which the latter are held."""
        dropped, assigned = self._assignment.settle(membership)
        self._held.difference_update(dropped)
        for partition in assigned:
            self.hold(partition)
        return dropped, assigned

    def hold(self, partition: InputPartition) -> None:
        """Stop fetching a partition while its state is restored."""
        key = TopicPartition(*partition)
        self._consumer.pause(key)
        self._consumer.seek(key, 0)  # any position will do: without one, every poll would ask for the reset policy
        self._held.add(partition)

    def resume(self, partition: InputPartition, offset: int) -> None:
        """Go live on a partition, from ``offset``."""
        key = TopicPartition(*partition)
        self._consumer.seek(key, offset)
        resume_from_position(self._consumer, key)
        self._held.discard(partition)

    def rejoin(self) -> None:
        """Ask the group for a new assignment within the next polls.

        A static member that comes back is given its old assignment without a rebalance, and kafka-python's leader then
        does not notice that a topic has got further partitions: nobody would ever read them.
        """
        self._consumer._coordinator.request_rejoin()

    def partition_count(self, topic: str) -> int:
        """Partitions of a topic as far as the client knows; its knowledge may be a minute old."""
        # Not by KafkaConsumer.partitions_for_topic: for a topic that it does not know it asks brokers, without a limit.
        return len(self._consumer._cluster.partitions_for_topic(topic) or ())

    def position(self, partition: InputPartition) -> int | None:
        """Offset of the next record; unlike the last offset plus one it has stepped past transaction markers."""
        position: int | None = self._consumer.position(TopicPartition(*partition), timeout_ms=_CALL_TIMEOUT_MS)
        return position

    def committed(self, partition: InputPartition) -> int | None:
        """The group's stable committed offset. Waits for a transaction of the partition's previous owner to end.

        Raises:
            KafkaError: no answer in time.
        """
        offset: int | None = self._consumer.committed(TopicPartition(*partition), timeout_ms=_CALL_TIMEOUT_MS)
        return offset

    def commit(self, offsets: Mapping[InputPartition, int]) -> None:
        """Commit offsets outside of a transaction (at-least-once delivery).

        Raises:
            KafkaError: the offsets may not have been committed.
        """
        self._consumer.commit(
            {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()},
            timeout_ms=_CALL_TIMEOUT_MS,
        )

    def range(self, partition: InputPartition) -> tuple[int, int]:
        """First retained offset and the end (last stable offset) of a partition.

        Raises:
            KafkaError: no answer in time.
        """
        key = TopicPartition(*partition)
        first = self._consumer.beginning_offsets([key], timeout_ms=_CALL_TIMEOUT_MS)[key]
        end = self._consumer.end_offsets([key], timeout_ms=_CALL_TIMEOUT_MS)[key]
        return first, end

    def ends(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        """Last stable offset of each partition.

        Raises:
            KafkaError: no answer in time.
        """
        if not partitions:
            return {}
        keys = [TopicPartition(*partition) for partition in partitions]
        return {
            InputPartition(*key): end
            for key, end in self._consumer.end_offsets(keys, timeout_ms=_CALL_TIMEOUT_MS).items()
        }

    def close(self) -> None:
        """Leave. A static member keeps its partitions until its session ends, so that a quick restart moves nothing."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=_CALL_TIMEOUT_MS)
        except KafkaError:  # nothing is pending here, and the broker will notice by itself
            return
