"""What people are shown of held-out data is what was there, and what the model made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.calibration import HeldOutScores
from models.spec import ModelSpec
from models.training import TrainOptions, train
from models.training.held_out import HeldOut
from models.training.held_out_view import view_held_out

pytestmark = pytest.mark.keras

ROWS = 1500
SECOND = 10**9


def series(seed: int, spike_at: int | None = None):
    noise = np.random.default_rng(seed)
    steps = np.arange(ROWS)
    values = np.stack([np.sin(steps / 9), 300 + 50 * np.sin(steps / 7)], axis=1)
    values += noise.normal(size=values.shape) * [0.05, 2.0]
    if spike_at is not None:
        values[spike_at, 1] += 100
    values[ROWS - 40, 0] = np.nan
    return steps * SECOND, values


@pytest.fixture(scope="module")
def data():
    return {"calm": series(0), "spiky": series(1, spike_at=ROWS - 60)}


@pytest.fixture(scope="module")
def trained(data):
    spec = ModelSpec(channels=("a", "b"), architecture="autoregression", window=6, period_seconds=1.0)
    return train(data, spec, TrainOptions(threads=1, horizon_sequences=0))


def test_it_holds_the_scores_that_the_threshold_comes_from(trained):
    scores = trained.held_out.scores
    assert scores.size == trained.calibration.samples
    assert scores.max() == trained.calibration.quantiles["1.0"]


def test_the_worst_stretch_is_around_the_highest_score(trained, data):
    typical, worst, other = trained.held_out.excerpts
    assert [one.why for one in trained.held_out.excerpts] == ["typical", "worst", "worst"]
    assert (worst.series, other.series) == ("spiky", "calm")
    assert np.nanmax(worst.score) == trained.held_out.scores.max()
    assert np.nanmax(typical.score) < np.nanmax(worst.score)
    at = int(np.nanargmax(worst.score))
    assert worst.contributions[at].argmax() == 1
    assert 20 < at < len(worst.score) - 20


def test_excerpts_are_the_data_itself_in_its_own_units(trained, data):
    for one in trained.held_out.excerpts:
        times, values = data[one.series]
        rows = np.searchsorted(times, one.times_ns)
        np.testing.assert_array_equal(times[rows], one.times_ns)
        np.testing.assert_array_equal(one.seen, values[rows])
        # A model that has learned the wave expects something near it.
        assert np.nanmedian(np.abs(one.expected[:, 1] - one.seen[:, 1])) < 10
        known = np.isfinite(one.score)
        np.testing.assert_allclose(one.contributions.sum(axis=1)[known], one.score[known], rtol=1e-4)


def test_errors_of_channels_are_in_their_own_units(trained):
    first, second = trained.held_out.channels
    assert 0.02 < first.typical < 0.2
    assert 1.0 < second.typical < 10.0
    assert first.rarely > first.typical
    assert 0 < first.unexplained < 0.2


def test_series_with_the_highest_score_come_first(trained):
    first, second = trained.held_out.series
    assert (first.series, second.series) == ("spiky", "calm")
    assert first.highest == trained.held_out.scores.max()
    assert first.samples + second.samples == trained.calibration.samples


def test_nothing_known_gives_no_excerpt_and_no_number(trained):
    rule = trained.rule
    left = _left(rule)
    unknown = HeldOut("a", left.stretch, left.times_ns, np.full_like(left.seen, np.nan), left.centre, left.scale)
    view = view_held_out(rule, [unknown], [HeldOutScores(np.full(len(left.times_ns), np.nan), left.times_ns)])
    assert view.excerpts == view.series == ()
    assert view.scores.size == 0
    assert np.isnan(view.channels[0].typical)


def test_a_channel_that_does_not_move_explains_nothing(trained):
    left = _left(trained.rule)
    still = replace(left, seen=np.full_like(left.seen, 3.0))
    view = view_held_out(trained.rule, [still], [HeldOutScores(np.ones(len(left.times_ns)), left.times_ns)])
    assert np.isnan(view.channels[0].unexplained)


def _left(rule):
    """Ten windows of which the model made something."""
    from models.outputs import RECONSTRUCTION, Output
    from models.scores import Stretch

    rows = np.zeros((10, rule.options.tail, 2), np.float32)
    parts = {part.part: rows for part in rule.parts} | {RECONSTRUCTION: rows}
    stretch = Stretch(rows, Output(parts), np.ones(rows.shape, np.bool_), np.ones(10, np.int64))
    return HeldOut("a", stretch, np.arange(10) * SECOND, np.zeros((10, 2)), np.zeros(2), np.ones(2))
