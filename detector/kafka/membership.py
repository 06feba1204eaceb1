"""This worker's place in its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Membership:
    """This member's place in the group, as it was when the records at hand were polled.

    It is taken once a cycle, after the cycle's last poll, and that very value is checked and sent with the offsets.
    Taken any later it might belong to a generation that does not own the records any more.
    """

    metadata: Any

    @property
    def valid(self) -> bool:
        """Whether the group knows this member.

        After a missed poll interval the client reports generation -1 and an empty member id, which a broker takes for a
        consumer without a group and lets through *unfenced*.
        """
        return self.metadata.generation_id >= 0 and bool(self.metadata.member_id)
