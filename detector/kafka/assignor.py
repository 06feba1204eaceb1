"""Cooperative-sticky assignment in which a member claims what it owns now, not what it was assigned last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor


class OwnedNowAssignor(CooperativeStickyAssignor):  # type: ignore[misc]  # kafka-python has no types
    """As kafka-python's, but a member that lost its membership claims nothing when it joins anew.

    kafka-python 3.0 puts the last assignment into the request, even if the listener was told since that it is lost. The
    group's leader then withholds a partition that should move from that member until it gives it up; the member, which
    does not hold it any more, has nothing to give up, and the partition belongs to nobody until something else makes
    the group assign again. Java's client asks its subscription, as this one does (KIP-429).

    Attributes:
        owned: Asked for the partitions that are held; set by whoever makes the consumer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.owned: Callable[[], Iterable[TopicPartition]] | None = None

    def metadata(self, topics: Sequence[str]) -> Any:
        """What the member tells the leader when it joins."""
        if self.owned is not None:
            self.member_assignment = list(self.owned())
        return super().metadata(topics)


def claim_what_is_owned(consumer: Any) -> None:
    """Let a consumer with an `OwnedNowAssignor` tell the truth about what it holds."""
    for assignor in consumer._coordinator._assignors.values():
        if isinstance(assignor, OwnedNowAssignor):
            assignor.owned = consumer._subscription.assigned_partitions
