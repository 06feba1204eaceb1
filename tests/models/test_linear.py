from __future__ import annotations

import numpy as np

from models.fitting.linear import fit_autoregression, fit_components


def test_an_autoregression_finds_the_process_that_made_the_data():
    random = np.random.default_rng(0)
    first, second = np.array([[0.5, 0.2], [-0.1, 0.3]]), np.array([[-0.3, 0.0], [0.1, 0.2]])
    rows = np.zeros((6000, 2))
    for t in range(2, len(rows)):
        rows[t] = 1.0 + rows[t - 1] @ first + rows[t - 2] @ second + random.normal(size=2)
    lagged = rows[np.arange(len(rows) - 2)[:, None] + np.arange(3)].astype(np.float32)
    weights, intercepts = fit_autoregression(lagged, ridge=1e-6)
    # Oldest row first; the standard error of 6,000 samples is about 0.013.
    np.testing.assert_allclose(weights, np.concatenate([second, first]), atol=0.05)
    np.testing.assert_allclose(intercepts, [1.0, 1.0], atol=0.15)


def test_components_span_the_plane_that_the_data_lies_in():
    random = np.random.default_rng(0)
    plane = np.linalg.qr(random.normal(size=(6, 2)))[0]
    rows = (3.0 + random.normal(size=(5000, 2)) @ plane.T + 1e-3 * random.normal(size=(5000, 6))).astype(np.float32)
    kept, mean = fit_components(rows, most=4, variance=0.99)
    assert (kept[:, 2:] == 0).all()
    np.testing.assert_allclose(kept @ kept.T, plane @ plane.T, atol=1e-3)
    np.testing.assert_allclose(mean, np.full(6, 3.0), atol=0.05)


def test_data_that_never_moves_has_no_components():
    kept, mean = fit_components(np.full((10, 3), 2.0, np.float32), most=2, variance=0.9)
    assert (kept == 0).all()
    assert mean.tolist() == [2.0, 2.0, 2.0]
