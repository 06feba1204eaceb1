"""Who is in a consumer group, asked of the group itself."""

from __future__ import annotations

from detector.kafka.client import open_admin
from detector.kafka.membership import Membership
from detector.settings import KafkaSettings


def is_member(settings: KafkaSettings, group: str, membership: Membership) -> bool:
    """Whether the group counts this member in, now.

    A worker that slept for longer than its session was expelled, and may hear of it only some polls later.

    Raises:
        KafkaUnavailableError: the cluster cannot be reached.
        KafkaError: the group's coordinator did not answer.
    """
    with open_admin(settings) as admin:
        members = admin.describe_groups([group])[group]["members"]
    return membership.metadata.member_id in {member["member_id"] for member in members}
