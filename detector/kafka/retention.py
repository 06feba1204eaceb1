"""Whether a topic keeps records of given times. By default it deletes old ones at once, and refuses those ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.errors import KafkaUnavailableError
from detector.kafka.topics import TopicInfo

_NS_PER_MS = 1_000_000


_PUBLISH_ADVICE = "Publish to a new topic with --create, which keeps records of any time for ever"


def check_keeps(
    topic: TopicInfo,
    first_ns: int,
    last_ns: int,
    now_ns: int,
    ahead_ns: int,
    bootstrap: str,
    advice: str = _PUBLISH_ADVICE,
) -> None:
    """Make sure that records with these times will be kept, as they are.

    Brokers delete by record timestamp, so history published to a topic with the default retention of seven days is gone
    within minutes; they also refuse timestamps more than an hour ahead.

    Args:
        topic: The topic as it is.
        first_ns: Least event time, nanoseconds since the epoch.
        last_ns: Greatest event time.
        now_ns: Wall-clock time.
        ahead_ns: How far a record's time will lie ahead of the moment at which it is sent, at most.
        bootstrap: Address of the cluster, for the remedy.
        advice: The other remedy, without a full stop.

    Raises:
        KafkaUnavailableError: it will not keep them; says why and what to do.
    """
    problem = _problem(topic, first_ns, last_ns, now_ns, ahead_ns)
    if problem is None:
        return
    what, config = problem
    raise KafkaUnavailableError(
        f"the topic {topic.name!r} {what}. {advice}, or change this one:\n  kafka-configs.sh "
        f"--bootstrap-server {bootstrap} --alter --entity-type topics "
        f"--entity-name {topic.name} --add-config {config}"
    )


def _problem(topic: TopicInfo, first_ns: int, last_ns: int, now_ns: int, ahead_ns: int) -> tuple[str, str] | None:
    """What is wrong, and the setting that mends it."""
    if topic.timestamp_type != "CreateTime":
        return (
            f"has message.timestamp.type={topic.timestamp_type}, so the broker would replace these times by its own",
            "message.timestamp.type=CreateTime",
        )
    if "compact" in topic.cleanup_policies:
        return (
            f"has cleanup.policy={','.join(sorted(topic.cleanup_policies))}, so only the last record of each series "
            "would be kept",
            "cleanup.policy=delete",
        )
    oldest_ms = (now_ns - first_ns) // _NS_PER_MS
    if 0 <= topic.retention_ms < oldest_ms:
        return (
            f"keeps records for {_duration(topic.retention_ms)}, and these go back to {format_time(first_ns)}: "
            "the broker would delete them at once",
            "retention.ms=-1",
        )
    if topic.max_behind_ms < oldest_ms:
        return (
            f"refuses times more than {_duration(topic.max_behind_ms)} ago, and these go back to "
            f"{format_time(first_ns)}",
            f"message.timestamp.before.max.ms={2**63 - 1}",
        )
    if topic.max_ahead_ms < ahead_ns // _NS_PER_MS:
        return (
            f"refuses times more than {_duration(topic.max_ahead_ms)} ahead of the clock, and these reach "
            f"{format_time(last_ns)}",
            f"message.timestamp.after.max.ms={2**63 - 1}",
        )
    return None


def format_time(time_ns: int) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(milliseconds: int) -> str:
    return str(timedelta(milliseconds=milliseconds)).removesuffix(", 0:00:00")
