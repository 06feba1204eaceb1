"""For how long a partition's end has been beyond a reader, by looks at its end alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.worker.end_trail import EndTrail


def test_nothing_waits_no_time() -> None:
    trail = EndTrail()
    assert trail.seconds_behind(0, 5.0) == 0
    trail.note(10, 5.0)
    assert trail.seconds_behind(10, 50.0) == 0
    assert trail.seconds_behind(12, 60.0) == 0


def test_it_counts_from_the_look_that_found_the_end_beyond_the_position() -> None:
    trail = EndTrail()
    for now, end in ((0.0, 10), (5.0, 10), (10.0, 20), (15.0, 30)):
        trail.note(end, now)
    assert trail.seconds_behind(9, 20.0) == 20
    assert trail.seconds_behind(10, 20.0) == 10
    assert trail.seconds_behind(19, 21.0) == 11
    assert trail.seconds_behind(25, 22.0) == 7
    assert trail.seconds_behind(30, 22.0) == 0


def test_what_waited_before_the_first_look_waits_from_then_on() -> None:
    """A worker that finds a backlog at its start has not been late yet."""
    trail = EndTrail()
    trail.note(1_000_000, 100.0)
    assert trail.seconds_behind(0, 100.0) == 0
    assert trail.seconds_behind(500_000, 160.0) == 60


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    trail = EndTrail()
    trail.note(1000, 0.0)
    trail.note(5, 50.0)
    assert trail.seconds_behind(0, 60.0) == 10


@given(st.lists(st.integers(1, 5), min_size=1, max_size=200), st.integers(2, 8))
def test_however_long_a_reader_stands_still_few_looks_are_kept_and_the_time_is_right(
    steps: list[int], most: int
) -> None:
    trail, end, now = EndTrail(most), 0, 0.0
    for step in steps:
        end, now = end + step, now + 1.0
        trail.note(end, now)
        assert len(trail._looks) <= most
        assert trail.seconds_behind(0, now) == now - 1.0
    assert 0 <= trail.seconds_behind(end - 1, now) <= now - 1.0
