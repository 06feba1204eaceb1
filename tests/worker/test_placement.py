"""Series that are in several partitions, apart from any broker."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from detector.records.values import InputPartition
from detector.worker.placement import Placement

ZERO, ONE, TWO = (InputPartition("telemetry", number) for number in range(3))


def observe(placement: Placement, partition: InputPartition, *series: str) -> list[Any]:
    with capture_logs() as logs:
        placement.observe("pumps", partition, series)
    return list(logs)


def test_a_series_in_one_partition_is_as_it_should_be() -> None:
    placement = Placement()
    assert (
        observe(placement, ZERO, "a", "b", "a") == observe(placement, ZERO, "a") == observe(placement, ONE, "c") == []
    )
    assert (placement.several("pumps"), placement.several("unknown")) == (0, 0)


def test_a_series_in_two_partitions_is_named_with_the_remedy_once() -> None:
    placement = Placement()
    observe(placement, ZERO, "a", "b")
    (log,) = observe(placement, ONE, "a", "c")
    assert (log["log_level"], log["series"], log["partitions"]) == ("warning", "a", [0, 1])
    assert (log["stream"], log["topic"]) == ("pumps", "telemetry")
    assert "detector repartition SOURCE TARGET" in log["remedy"]
    assert observe(placement, ONE, "a") == observe(placement, ZERO, "a") == observe(placement, TWO, "a") == []
    assert placement.several("pumps") == 1


def test_after_a_few_names_only_the_count_is_logged() -> None:
    placement = Placement()
    names = [f"pump-{number}" for number in range(120)]
    observe(placement, ZERO, *names)
    logs = observe(placement, ONE, *names)
    assert [log["series"] for log in logs] == [*names[:5], 10, 100]
    assert placement.several("pumps") == 120


def test_a_partition_that_went_away_does_not_count() -> None:
    placement = Placement()
    for partition in (ZERO, ONE, TWO):
        observe(placement, partition, "in-all", *(["in-two"] if partition is not TWO else []))
    assert placement.several("pumps") == 2
    placement.drop("pumps", ZERO)
    assert placement.several("pumps") == 1
    placement.drop("pumps", ONE)
    assert placement.several("pumps") == 0
    (log,) = observe(placement, ZERO, "in-all", "in-two")
    assert (log["series"], log["partitions"]) == ("in-all", [0, 2])
    placement.drop("unknown", ZERO)


def test_memory_is_bounded_by_forgetting_what_came_first() -> None:
    placement = Placement(most_series=100)
    observe(placement, ZERO, "first")
    observe(placement, ONE, "first")
    for number in range(1000):
        observe(placement, ZERO, f"pump-{number}")
    known = placement._streams["pumps"]
    assert (len(known.first), len(known.several)) == (100, 0)
    assert len(observe(placement, ONE, "pump-999")) == 1


def test_long_names_are_cut() -> None:
    placement = Placement()
    observe(placement, ZERO, "x" * 5000)
    (log,) = observe(placement, ONE, "x" * 5000)
    assert log["series"] == "x" * 100
