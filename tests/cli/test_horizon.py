"""``detector models horizon``: how horizons are shown; the command itself is tested in ``test_models``."""

from __future__ import annotations

import io

import numpy as np

from detector.cli.models.horizon_report import Measured, lags, print_horizons, summary
from models.horizon import Horizon


def test_the_summary_gives_samples_and_time():
    horizon = Horizon(0.5 ** np.arange(9.0))
    assert summary(horizon, 300.0) == "half-life 1 samples (5 min), 5% at 4.32 samples (21.6 min)"
    assert summary(Horizon(0.9 ** np.arange(9.0)), None) == "half-life 6.58 samples, 5% after over 8 samples"
    assert summary(Horizon(np.zeros(4)), None) == "depends on no input"


def test_lags_are_close_at_first_and_end_with_the_last():
    assert lags(1) == [0]
    assert lags(30) == [0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 29]


def test_models_of_different_length_stand_side_by_side():
    stream = io.StringIO()
    measured = [
        Measured("a", "reconstruction", None, Horizon(0.5 ** np.arange(5.0))),
        Measured("b", "reconstruction", None, Horizon(np.array([0.0, 2.0]))),
    ]
    print_horizons(measured, stream)
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert ["1", "█" * 12, "50.0%", "█" * 24, "100.0%"] in lines
    assert ["4", "██", "6.2%"] in lines
