"""Rights of the secured broker's users."""

from __future__ import annotations

import time

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
)

PATIENCE_SECONDS = 30


def allow(admin: KafkaAdminClient, user: str, pattern: ResourcePattern, *operations: ACLOperation) -> None:
    """Grant rights, and wait until the broker goes by them.

    The controller answers once they are written down; the broker, busy, hears of it later.
    """
    principal = f"User:{user}"
    acls = [ACL(principal, "*", operation, ACLPermissionType.ALLOW, pattern) for operation in operations]
    assert admin.create_acls(acls)["failed"] == []
    there = ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type)
    wanted = ACLFilter(principal, "*", ACLOperation.ANY, ACLPermissionType.ALLOW, there)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not set(operations) <= {acl.operation for acl in admin.describe_acls(wanted)[0]}:
        assert time.monotonic() < deadline, "the broker does not know of the rights that were granted"
        time.sleep(0.05)
