"""Training data: the grid, the cut at gaps, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import TrainingError
from models.fitting.windows import WindowBank, lay_windows
from models.scaling import Scaler
from models.segments import check, cut, fingerprint


def times(*seconds: float) -> np.ndarray:
    return np.array([round(s * 1e9) for s in seconds], np.int64)


def ramp(rows: int) -> np.ndarray:
    return np.arange(rows, dtype=float)[:, None]


def test_short_gaps_are_filled_and_long_ones_cut():
    #  0 1 . . 4  |  9 10      with at most two missing in a row
    first, second = cut(times(0, 1, 4, 9, 10), ramp(5), 10**9, 2)
    assert first.real.tolist() == [True, True, False, False, True]
    assert np.nan_to_num(first.values[:, 0], nan=-1).tolist() == [0, 1, -1, -1, 2]
    assert first.times_ns.tolist() == times(0, 1, 2, 3, 4).tolist()
    assert second.values[:, 0].tolist() == [3, 4]


def test_late_and_repeated_samples_are_dropped():
    (segment,) = cut(times(0, 1, 1, 0.5, 2), ramp(5), 10**9, 5)
    assert segment.values[:, 0].tolist() == [0, 1, 4]
    (counted,) = cut(times(0, 1, 1, 0.5, 2), ramp(5), None, 5)
    assert counted.values[:, 0].tolist() == [0, 1, 4]


def test_jitter_falls_on_the_grid_and_keeps_its_own_time():
    (segment,) = cut(times(0, 1.2, 1.9, 3.4), ramp(4), 10**9, 5)
    assert segment.values[:, 0].tolist() == [0, 1, 2, 3]
    assert segment.times_ns.tolist() == times(0, 1.2, 1.9, 3.4).tolist()


def test_each_segment_has_a_grid_of_its_own():
    _, second = cut(times(0, 100.5, 101.5), ramp(3), 10**9, 5)
    assert second.values[:, 0].tolist() == [1, 2]


def test_without_a_period_there_are_no_gaps():
    (segment,) = cut(times(0, 1, 1000), ramp(3), None, 0)
    assert len(segment.values) == 3


def test_infinite_values_are_missing_and_an_empty_series_has_no_segment():
    (segment,) = cut(times(0, 1), np.array([[np.inf], [1.0]]), 10**9, 0)
    assert np.isnan(segment.values[0, 0])
    for period in (None, 10**9):
        assert cut(times(), np.empty((0, 1)), period, 0) == ()


def test_the_last_windows_are_held_out_and_share_no_row_with_the_others():
    laid = lay_windows(cut(times(*range(100)), ramp(100), 10**9, 0), 10, 0.2, 0.5)
    # 91 windows end at rows 9..99; the last 19 end at 81..99; the first of them begins at row 72.
    assert laid.held_out[:, 1].tolist() == list(range(81, 100))
    assert laid.train[:, 1].tolist() == list(range(9, 72))
    assert laid.training_values()[:, 0].tolist() == list(range(72))


def test_windows_end_at_real_rows_with_enough_in_them():
    values = ramp(30)
    values[12:17] = np.nan  # there, but all channels missing
    laid = lay_windows(cut(times(*range(30)), values, 10**9, 0), 4, 0.3, 0.75)
    # Row 19 is the first whose window has three of four values again; 21 to 23 overlap what is held out.
    assert laid.train[:, 1].tolist() == [*range(3, 12), 19, 20]
    assert laid.held_out[:, 1].tolist() == list(range(24, 30))


def test_filled_rows_do_not_end_a_window():
    segments = cut(times(*range(10), 12, 13, 14), ramp(13), 10**9, 5)
    laid = lay_windows(segments, 3, 0.2, 0.1)
    ends = {*laid.train[:, 1].tolist(), *laid.held_out[:, 1].tolist()}
    assert not ends & {10, 11}


def test_a_series_too_short_to_divide_is_learned_from_entirely():
    laid = lay_windows(cut(times(*range(12)), ramp(12), 10**9, 0), 10, 0.2, 0.5)
    assert laid.train[:, 1].tolist() == [9, 10, 11]
    assert len(laid.held_out) == 0
    assert len(laid.training_values()) == 12


def test_the_bank_cuts_windows_out_of_the_right_series_and_never_across_a_gap():
    series = {
        "a": lay_windows(cut(times(*range(20), *range(50, 70)), ramp(40), 10**9, 0), 5, 0.2, 0.5),
        "b": lay_windows(cut(times(*range(20)), ramp(20) + 1000, 10**9, 0), 5, 0.2, 0.5),
    }
    identity = Scaler(("a", "b"), np.zeros((3, 1)), np.ones((3, 1)), clip=1e6)
    bank = WindowBank(series, identity, 5)
    windows, observed = bank.draw(np.concatenate([bank.train, *bank.held_out.values()]))
    assert observed.all()
    assert (np.diff(windows[:, :, 0], axis=1) == 1).all()
    assert not any({19, 20} <= set(window.tolist()) for window in windows[:, :, 0].astype(int))
    assert bank.draw(bank.held_out["b"])[0].min() >= 1000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "there is no series to train on"),
        ({"s": (times(0), np.zeros((1, 3)))}, r"series 's' has values of shape \(1, 3\); expected \[rows, 2\]"),
        ({"s": (times(0), np.zeros((2, 2)))}, "series 's' has 2 rows but 1 times"),
        ({"s": (times(0), np.full((1, 2), np.nan))}, "every value is missing; check the names of the channels"),
    ],
)
def test_data_that_does_not_fit_is_named(data, message):
    with pytest.raises(TrainingError, match=message):
        check(data, ("x", "y"))


def test_the_fingerprint_tells_data_apart():
    base = {"s": (times(0, 1), ramp(2)), "t": (times(0), ramp(1))}
    found = fingerprint(base)
    assert found["series"]["s"] == {
        "rows": 2, "first_time_ns": 0, "last_time_ns": 10**9, "sha256": found["series"]["s"]["sha256"],
    }  # fmt: skip
    assert fingerprint(dict(reversed(base.items()))) == found
    for other in (
        base | {"s": (times(0, 2), ramp(2))},
        base | {"s": (times(0, 1), ramp(2) + 1e-9)},
        {"s": base["s"], "u": base["t"]},
    ):
        assert fingerprint(other)["sha256"] != found["sha256"]
