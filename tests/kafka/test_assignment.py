"""Which partitions went and which came, by what rebalances left noted: without a broker, in every order."""

from __future__ import annotations

from types import SimpleNamespace

from kafka import TopicPartition

from detector.kafka.assignment import Assignment
from detector.kafka.membership import Membership
from detector.records.values import InputPartition

ZERO, ONE, TWO = (TopicPartition("telemetry", number) for number in range(3))


def member(name: str) -> Membership:
    return Membership(SimpleNamespace(generation_id=1, member_id=name))


def inputs(*partitions: TopicPartition) -> tuple[InputPartition, ...]:
    return tuple(InputPartition(*partition) for partition in partitions)


def test_nothing_is_owned_before_the_notes_are_settled() -> None:
    assignment = Assignment()
    assignment.on_partitions_assigned([ONE, ZERO])
    assert assignment.owned == frozenset()
    assert assignment.newly_assigned() == set(inputs(ZERO, ONE))
    assert assignment.settle(member("a")) == ((), inputs(ZERO, ONE))
    assert assignment.owned == frozenset(inputs(ZERO, ONE))
    assert assignment.newly_assigned() == set()
    assert assignment.settle(member("a")) == ((), ())


def test_a_partition_that_is_kept_over_a_rebalance_is_neither_dropped_nor_new() -> None:
    assignment = Assignment()
    assignment.on_partitions_assigned([ZERO, ONE])
    assignment.settle(member("a"))
    assignment.on_partitions_revoked([ONE])
    assignment.on_partitions_assigned([TWO])
    assert assignment.settle(member("a")) == (inputs(ONE), inputs(TWO))
    assert assignment.owned == frozenset(inputs(ZERO, TWO))


def test_a_partition_that_was_taken_away_and_given_back_is_dropped_and_new() -> None:
    assignment = Assignment()
    assignment.on_partitions_assigned([ZERO, ONE])
    assignment.settle(member("a"))
    assignment.on_partitions_lost([ONE])
    assignment.on_partitions_assigned([ONE])
    assert assignment.settle(member("a")) == (inputs(ONE), inputs(ONE))


def test_a_partition_that_came_and_went_within_one_poll_was_never_here() -> None:
    assignment = Assignment()
    assignment.on_partitions_assigned([ZERO])
    assignment.on_partitions_revoked([ZERO])
    assert assignment.settle(member("a")) == ((), ())
    assert assignment.owned == frozenset()


def test_under_another_member_id_everything_that_is_still_owned_is_new() -> None:
    """The client joined anew without a word to its listener: others may have owned its partitions meanwhile."""
    assignment = Assignment()
    assignment.on_partitions_assigned([ZERO, ONE])
    assignment.settle(member("a"))
    assert assignment.settle(member("")) == ((), ())  # out of the group for a moment: nothing is known yet
    assignment.on_partitions_revoked([ONE])
    assert assignment.settle(member("b")) == (inputs(ZERO, ONE), inputs(ZERO))
    assert assignment.settle(member("b")) == ((), ())
