from __future__ import annotations

import numpy as np

from models.training.misfits import MOST_REPORTED, Misfit, find_misfits


def scores(**medians: float) -> dict[str, np.ndarray]:
    return {name: np.array([0.5, 1.0, 50.0]) * median for name, median in medians.items()}


def test_series_that_are_unlike_the_others_the_most_unlike_first():
    found = find_misfits(scores(a=1.0, b=1.2, c=0.9, noisy=8.0, quiet=0.05, d=1.1))
    assert [(misfit.series, misfit.kind) for misfit in found] == [("quiet", "quiet"), ("noisy", "noisy")]
    assert found[1].ratio == 8.0 / 1.05


def test_ordinary_differences_are_none():
    assert find_misfits(scores(a=1.0, b=3.0, c=0.4, d=1.1)) == ()


def test_a_few_series_have_no_usual():
    assert find_misfits(scores(a=1.0, b=100.0, c=1.0)) == ()


def test_what_is_unknown_is_left_out():
    found = find_misfits(scores(a=1.0, b=1.0, c=1.0, d=9.0) | {"e": np.array([np.nan, np.nan])})
    assert found == (Misfit("d", 9.0, "noisy"),)


def test_as_many_as_anybody_reads():
    many = {f"s{number}": 1.0 for number in range(400)} | {f"n{number}": 9.0 for number in range(100)}
    assert len(find_misfits(scores(**many))) == MOST_REPORTED
