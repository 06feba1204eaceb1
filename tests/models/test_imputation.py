from __future__ import annotations

import numpy as np

from models.imputation import impute

NAN = np.nan


def window(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array([rows], np.float32)


def test_gaps_are_filled_with_the_value_before_and_leading_ones_with_the_centre():
    filled, observed = impute(window((NAN, 1), (2, NAN), (NAN, NAN), (3, 4)))
    assert filled[0].tolist() == [[0, 1], [2, 1], [2, 1], [3, 4]]
    assert observed[0].tolist() == [[False, True], [True, False], [False, False], [True, True]]


def test_filling_looks_at_no_other_window():
    random = np.random.default_rng(1)
    seen = random.normal(size=(301, 12, 3)).astype(np.float32)
    seen[random.random(seen.shape) < 0.1] = NAN
    assert np.concatenate([impute(row[None])[0] for row in seen]).tobytes() == impute(seen)[0].tobytes()
