"""Which times a topic keeps, decided from its settings alone."""

from __future__ import annotations

import pytest

from detector.errors import KafkaUnavailableError
from detector.kafka.pacing import AtRate, AtSpeed, Unpaced
from detector.kafka.retention import check_keeps
from detector.kafka.topics import TopicInfo

NS = 1_000_000_000
DAY_MS = 86_400_000
NOW = 1_700_000_000 * NS
FOR_EVER = 2**63 - 1


def topic(
    *,
    policies: frozenset[str] = frozenset({"delete"}),
    retention_ms: int = 7 * DAY_MS,
    max_ahead_ms: int = 3_600_000,
    max_behind_ms: int = FOR_EVER,
    timestamp_type: str = "CreateTime",
) -> TopicInfo:
    return TopicInfo("telemetry", 1, policies, retention_ms, 1_000_000, max_ahead_ms, max_behind_ms, timestamp_type)


def problem(info: TopicInfo, first_ns: int, last_ns: int) -> str:
    with pytest.raises(KafkaUnavailableError) as error:
        check_keeps(info, first_ns, last_ns, NOW, last_ns - NOW, "k:9092")
    return str(error.value)


@pytest.mark.parametrize(
    ("info", "first_ns", "last_ns"),
    [
        (topic(), NOW - 7 * DAY_MS * 1_000_000, NOW + 3600 * NS),
        (topic(retention_ms=-1, max_ahead_ms=FOR_EVER), 0, NOW * 2),
    ],
)
def test_times_inside(info: TopicInfo, first_ns: int, last_ns: int) -> None:
    check_keeps(info, first_ns, last_ns, NOW, last_ns - NOW, "k:9092")


def test_times_before_retention() -> None:
    assert problem(topic(), 946_684_800 * NS, NOW) == (
        "the topic 'telemetry' keeps records for 7 days, and these go back to 2000-01-01T00:00:00Z: the broker would "
        "delete them at once. Publish to a new topic with --create, which keeps records of any time for ever, or "
        "change this one:\n  kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics "
        "--entity-name telemetry --add-config retention.ms=-1"
    )
    just_outside = NOW - (7 * DAY_MS + 1) * 1_000_000
    assert "keeps records for 7 days" in problem(topic(), just_outside, NOW)


def test_times_ahead() -> None:
    text = problem(topic(), NOW, NOW + 3601 * NS)
    assert "refuses times more than 1:00:00 ahead of the clock, and these reach 2023-11-14T23:13:21Z" in text
    assert text.endswith("--add-config message.timestamp.after.max.ms=9223372036854775807")


def test_times_behind() -> None:
    text = problem(topic(retention_ms=-1, max_behind_ms=DAY_MS), NOW - 2 * DAY_MS * 1_000_000, NOW)
    assert "refuses times more than 1 day ago, and these go back to 2023-11-12T22:13:20Z" in text
    assert text.endswith("--add-config message.timestamp.before.max.ms=9223372036854775807")


@pytest.mark.parametrize("policies", [frozenset({"compact"}), frozenset({"compact", "delete"})])
def test_a_compacted_topic(policies: frozenset[str]) -> None:
    text = problem(topic(policies=policies), NOW, NOW)
    assert (
        f"has cleanup.policy={','.join(sorted(policies))}, so only the last record of each series would be kept" in text
    )
    assert text.endswith("--add-config cleanup.policy=delete")


def test_a_topic_that_replaces_times() -> None:
    text = problem(topic(timestamp_type="LogAppendTime"), NOW, NOW)
    assert "message.timestamp.type=LogAppendTime, so the broker would replace these times by its own" in text
    assert text.endswith("--add-config message.timestamp.type=CreateTime")


def test_paces() -> None:
    assert Unpaced().due_seconds(10**9, NOW) == 0.0
    assert [AtRate(4.0).due_seconds(index, NOW) for index in (0, 1, 8)] == [0.0, 0.25, 2.0]
    speed = AtSpeed(NOW, 60.0)
    assert [speed.due_seconds(0, NOW + second * NS) for second in (-5, 0, 60, 3600)] == [0.0, 0.0, 1.0, 60.0]
