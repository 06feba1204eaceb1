"""Where a group and a topic stand, asked from outside: nothing joins the group, and nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from detector.errors import KafkaUnavailableError
from detector.kafka.client import open_admin
from detector.records.values import InputPartition
from detector.settings import KafkaSettings


class Positions:
    """Asks one cluster.

    Args:
        settings: How to connect.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def committed(self, group: str, partitions: Sequence[InputPartition]) -> dict[InputPartition, int | None]:
        """Committed offset of a group on each partition; None where it has none.

        Raises:
            KafkaUnavailableError: the cluster does not answer, or a right is missing.
        """
        keys = [TopicPartition(*partition) for partition in partitions]
        try:
            with open_admin(self._settings) as admin:
                found = admin.list_group_offsets({group: keys})[group]
        except KafkaError as error:
            raise KafkaUnavailableError(
                f"the committed offsets of group {group!r} cannot be read: {error}; this needs the right to Describe "
                "the group"
            ) from error
        offsets = {InputPartition(*key): value.offset for key, value in found.items()}
        return {p: None if offsets.get(p, -1) < 0 else offsets[p] for p in partitions}

    def high_watermarks(self, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
        """End of each partition, records of open transactions included.

        Raises:
            KafkaUnavailableError: the cluster does not answer, or a topic or partition does not exist.
        """
        try:
            with open_admin(self._settings) as admin:
                return _ends(admin, partitions)
        except KafkaError as error:
            names = ", ".join(f"{p.topic}/{p.partition}" for p in partitions)
            raise KafkaUnavailableError(f"the ends of {names} cannot be read: {error}") from error


def _ends(admin: KafkaAdminClient, partitions: Sequence[InputPartition]) -> dict[InputPartition, int]:
    found = admin.list_partition_offsets({TopicPartition(*partition): OffsetSpec.LATEST for partition in partitions})
    return {InputPartition(*key): value.offset for key, value in found.items()}
