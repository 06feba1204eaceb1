"""Which partitions the group has given this member: noted inside the client's callbacks, acted on outside of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kafka import ConsumerRebalanceListener, TopicPartition

from detector.kafka.membership import Membership
from detector.records.values import InputPartition


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """The partitions of this member, by what its rebalances left noted.

    The callbacks run on the client's IO loop, which also sends the heartbeats: they only take notes. `settle` is called
    between polls.
    """

    def __init__(self) -> None:
        self._changes: deque[tuple[bool, tuple[InputPartition, ...]]] = deque()
        self._owned: frozenset[InputPartition] = frozenset()
        self._member_id = ""

    @property
    def owned(self) -> frozenset[InputPartition]:
        """Partitions of this member when `settle` was last called."""
        return self._owned

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Take note of partitions that went."""
        self._changes.append((False, tuple(InputPartition(*partition) for partition in revoked)))

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Take note of partitions that were lost."""
        # The client's default would call on_partitions_revoked; the two mean the same here: somebody else may own them.
        self._changes.append((False, tuple(InputPartition(*partition) for partition in lost)))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note of partitions that came."""
        self._changes.append((True, tuple(InputPartition(*partition) for partition in assigned)))

    def newly_assigned(self) -> set[InputPartition]:
        """Partitions that came within the poll that is under way; none of their records is of use yet."""
        return {partition for gained, partitions in self._changes if gained for partition in partitions}

    def settle(self, membership: Membership) -> tuple[tuple[InputPartition, ...], tuple[InputPartition, ...]]:
        """Bring `owned` up to date.

        Args:
            membership: As it is now.

        Returns:
            Partitions that went and partitions that came since the last call, each in order. One that was taken away
            and given back is among both: its state may be old.
        """
        before, owned = self._owned, set(self._owned)
        renewed: set[InputPartition] = set()
        while self._changes:
            gained, partitions = self._changes.popleft()
            if gained:
                owned.update(partitions)
                renewed.update(partitions)
            else:
                owned.difference_update(partitions)
                renewed.difference_update(partitions)
        member_id = membership.metadata.member_id
        if member_id and self._member_id and member_id != self._member_id:
            # The group had forgotten this worker. A client whose membership ends in the middle of a rebalance joins
            # anew without a word to the listener, and is silent about partitions that it gets again; others may have
            # owned them meanwhile.
            renewed.update(before & owned)
        self._member_id = member_id or self._member_id
        self._owned = frozenset(owned)
        return tuple(sorted((before - owned) | (before & renewed))), tuple(sorted(renewed))
