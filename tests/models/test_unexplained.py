from __future__ import annotations

import numpy as np
import pytest

from models.outputs import RECONSTRUCTION, SAMPLE_BEFORE, Output
from models.scores import Stretch
from models.training.unexplained import unexplained


def stretch(estimate, rows=2, seed=0):
    """Windows of independent draws; ``estimate`` makes of float32[n, rows, channels] what the model would."""
    values = np.random.default_rng(seed).normal(size=(5000, 2)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, rows, axis=0).transpose(0, 2, 1)
    ones = np.ones(len(windows), np.int64)
    return Stretch(windows, Output({RECONSTRUCTION: estimate(windows)}, None), np.ones(windows.shape, np.bool_), ones)


@pytest.mark.parametrize(
    ("estimate", "left"), [(np.copy, 0.0), (np.zeros_like, 1.0), (lambda windows: windows / 2, 0.25)]
)
def test_shares_of_the_variance_by_hand(estimate, left):
    found = unexplained([stretch(estimate), stretch(estimate, seed=1)])
    assert found[RECONSTRUCTION] == pytest.approx(left, abs=0.01)
    # The difference of two independent draws has twice their variance.
    assert found[SAMPLE_BEFORE] == pytest.approx(2, rel=0.05)


def test_windows_of_one_row_know_no_sample_before():
    assert set(unexplained([stretch(np.copy, rows=1)])) == {RECONSTRUCTION}


def test_nothing_is_said_where_nothing_moves():
    still = np.zeros((9, 2, 1), np.float32)
    one = Stretch(still, Output({RECONSTRUCTION: still}, None), np.ones(still.shape, np.bool_), np.ones(9, np.int64))
    assert unexplained([one]) == {}
    assert unexplained([]) == {}
