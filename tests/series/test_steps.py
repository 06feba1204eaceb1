"""How many rows are new since a series' last window, whatever lies between the two."""

from __future__ import annotations

import pytest

from detector.series.store import SeriesStore
from tests.series.conftest import as_sample


def steps(store: SeriesStore, items, first_offset: int = 0) -> list[int]:
    for offset, item in enumerate(items, first_offset):
        store.add(as_sample(item), offset)
    return store.take().steps.tolist()


ROWS = [(10 * row, row) for row in range(8)]


def test_one_a_row_after_a_first_window_that_begins_anew(make_store):
    #  0 10 20 | 30 | 40 …
    assert steps(make_store(), ROWS) == [0, 1, 1, 1, 1, 1]


def test_as_many_as_the_stride(make_store):
    assert steps(make_store(length=2, stride=3), ROWS) == [0, 3]
    assert steps(make_store(length=4, stride=3), ROWS) == [0]  # the window that is due at 20 is not full yet


def test_filled_rows_count(make_store):
    #  0 10 20 | . . 50 | 60
    assert steps(make_store(), [*ROWS[:3], (50, 5), (60, 6)]) == [0, 3, 1]


def test_more_than_a_window_holds(make_store):
    #  0 10 | . . . 50
    assert steps(make_store(length=2, max_gap=5), [*ROWS[:2], (50, 5)]) == [0, 4]


def test_late_and_repeated_samples_do_not(make_store):
    assert steps(make_store(), [*ROWS[:4], (30, 9), (10, 9), (40, 4)]) == [0, 1, 1]


def test_a_gap_begins_anew(make_store):
    #  0 10 20 30 |          100 110 120 | 130
    assert steps(make_store(), [*ROWS[:4], (100, 1), (110, 2), (120, 3), (130, 4)]) == [0, 1, 0, 1]


def test_a_confirmed_jump_begins_anew(make_store):
    store = make_store(length=1, max_jump=1000, forget_after=8000)
    store.add(as_sample((0, 0)), 0)
    with pytest.raises(Exception, match="steps 5000 s ahead"):
        store.add(as_sample((5000, 1)), 1)
    assert steps(store, [(5010, 2), (5020, 3)], 2) == [0, 0, 1]


def test_a_series_that_was_forgotten_begins_anew(make_store):
    store = make_store()
    assert steps(store, ROWS[:4]) == [0, 1]
    store.forget("a")
    assert steps(store, ROWS[:4], 4) == [0, 1]


def test_assembled_rows_count_once(make_store):
    tall = [(10 * row, channel, 1.0, "tall") for row in range(5) for channel in range(2)]
    assert steps(make_store(channels=2), tall) == [0, 1, 1]


@pytest.mark.parametrize("kept", range(1, 8))
def test_they_go_on_behind_a_snapshot(make_store, kept):
    items = [*ROWS[:3], (50, 5), (60, 6), (70, 7), (80, 8), (90, 9)]
    settings = {"length": 3, "stride": 2}
    store, fresh = make_store(**settings), make_store(**settings)
    before = steps(store, items[:kept])
    fresh.restore("a", store.snapshot("a"))
    assert before + steps(fresh, items[kept:], kept) == steps(make_store(**settings), items)


def test_they_begin_anew_where_no_model_read_the_windows(make_store):
    store = make_store()
    store.hold_memory(True)
    assert steps(store, ROWS[:4]) == [0, 0]
    store.hold_memory(False)
    assert steps(store, ROWS[4:], 4) == [0, 1, 1, 1]


def test_they_begin_anew_where_what_was_carried_does_not_count(make_store):
    store, fresh = make_store(), make_store()
    steps(store, ROWS[:4])
    fresh.restore("a", store.snapshot("a"), memory=False)
    assert steps(fresh, ROWS[4:], 4) == [0, 1, 1, 1]
