"""How many records a poll asks for, apart from any broker and any clock."""

from __future__ import annotations

from itertools import pairwise

import pytest

from detector.worker.poll_size import PollSize, target_seconds


@pytest.mark.parametrize(("interval", "expected"), [(300.0, 1.0), (20.0, 1.0), (10.0, 0.5), (6.0, 0.3)])
def test_a_poll_takes_a_second_or_a_twentieth_of_the_interval(interval: float, expected: float) -> None:
    assert target_seconds(interval) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "batches", "expected"),
    [
        ("nothing is known", [], 500),
        ("polls without records say nothing", [(0, 9.0), (0, 0.0)], 500),
        ("growing goes step by step", [(500, 0.001)], 2000),
        ("and ends at the most", [(500, 0.001), (2000, 0.004)], 5000),
        ("no time at all", [(500, 0.0), (500, 0.0)], 5000),
        ("a hundredth of a second a record", [(500, 5.0)], 100),
        ("the first batch is forgotten with the second", [(500, 50.0), (10, 0.001)], 40),
        ("over a second a record: one at a time", [(500, 5000.0)], 1),
        ("a mean of the two, by size", [(1, 0.0), (100, 1.0), (100, 0.5)], 150),
        ("slow from one poll to the next", [(500, 0.01), (2000, 0.04), (5000, 50.0)], 119),
        ("a few costly records weigh little", [(500, 0.01), (2000, 0.04), (1, 0.01)], 5000),
    ],
)
def test_records_that_fit_in_a_second(name: str, batches: list[tuple[int, float]], expected: int) -> None:
    size = PollSize(most=5000, target_seconds=1.0)
    for records, seconds in batches:
        size.observe(records, seconds)
    assert size.records == expected, name


def test_never_more_than_the_setting_even_at_first() -> None:
    assert PollSize(most=20, target_seconds=1.0).records == 20


@pytest.mark.parametrize("seconds_per_record", [1e-6, 1e-4, 1e-3, 0.02, 3.0])
def test_it_settles_wherever_it_came_from(seconds_per_record: float) -> None:
    fits = max(1, min(5000, int(1.0 / seconds_per_record)))
    for before in (1e-6, 0.05, 10.0):
        size = PollSize(most=5000, target_seconds=1.0)
        for _ in range(10):
            size.observe(size.records, size.records * before)
        seen = []
        for _ in range(40):
            size.observe(size.records, size.records * seconds_per_record)
            seen.append(size.records)
        assert seen[-1] == pytest.approx(fits, rel=0.02, abs=1)
        # From below it only grows, from above it only shrinks: no swinging.
        assert all(a <= b for a, b in pairwise(seen)) or all(a >= b for a, b in pairwise(seen))
