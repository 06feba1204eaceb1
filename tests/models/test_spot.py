from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from models.errors import SpecError
from models.memory import Memory, new_states
from models.thresholds import Spot


def exponential(count, seed=0, scale=1.0):
    return np.random.default_rng(seed).exponential(scale, count)


def fitted(depth=0):
    return Spot.fit(exponential(20_000), threshold=10.0, level=4.0, depth=depth)


def run(spot, scores, states=None):
    states = new_states(spot.state_dtype, 1) if states is None else states
    steps = np.r_[0, np.ones(len(scores) - 1, int)]
    return spot.relative(np.asarray(scores, float), Memory(states, np.zeros(len(scores), int), steps))


def test_the_first_score_is_compared_with_the_calibrated_threshold():
    assert run(fitted(), [7.0]).tolist() == [7.0]
    assert run(fitted(depth=50), [7.0]) == pytest.approx([7.0])


def test_a_series_that_is_louder_by_nature_gets_a_higher_threshold():
    spot = replace(fitted(), memory_scores=3000)
    louder = run(spot, exponential(20_000, seed=1, scale=2.0))
    assert (louder[:500] > 10).mean() > 10 * (louder[-10_000:] > 10).mean()


def test_a_series_that_is_quieter_by_nature_gets_a_lower_threshold():
    spot = replace(fitted(), memory_scores=3000)
    assert run(spot, np.r_[exponential(20_000, seed=1, scale=0.5), 6.0])[-1] > 7


def test_after_a_gap_it_begins_with_the_calibrated_threshold():
    spot = replace(fitted(), memory_scores=100)
    states = new_states(spot.state_dtype, 1)
    taught = run(spot, np.r_[exponential(5000, scale=0.5), 7.0], states)[-1]
    assert taught > 8
    assert run(spot, [7.0], states).tolist() == [7.0]


def test_a_long_anomaly_teaches_nothing():
    spot = fitted()
    quiet, poisoned = new_states(spot.state_dtype, 1), new_states(spot.state_dtype, 1)
    run(spot, [1.0] * 10, quiet)
    run(spot, [1.0] * 10 + [500.0] * 5000, poisoned)
    assert quiet.tobytes() == poisoned.tobytes()


def test_unknown_scores_teach_nothing():
    spot = fitted()
    some, holes = new_states(spot.state_dtype, 1), new_states(spot.state_dtype, 1)
    run(spot, [5.0, 6.0], some)
    assert np.isnan(run(spot, [5.0, np.nan, 6.0], holes)).tolist() == [False, True, False]
    assert some.tobytes() == holes.tobytes()


def test_the_drift_of_the_mean_is_taken_out():
    scores = exponential(5000, seed=2) + np.linspace(0, 6, 5000)
    still, drifting = run(fitted(), scores), run(fitted(depth=200), scores)
    assert (still[-1000:] > 10).sum() > 5 > 2 >= (drifting[-1000:] > 10).sum()


def test_the_threshold_moves_within_bounds():
    spot = replace(fitted(), memory_scores=100)
    assert run(spot, np.r_[np.full(5000, 1e-6), 3.0])[-1] <= 3.0 * 4


def test_the_same_bits_however_scores_are_put_together():
    spot, random = fitted(depth=20), np.random.default_rng(3)
    scores, slots = exponential(400, seed=4, scale=2.0), random.integers(0, 9, 400)
    steps = np.r_[np.zeros(50, int), (random.random(350) > 0.1).astype(int)]
    together, apart = (new_states(spot.state_dtype, 9) for _ in range(2))
    whole = spot.relative(scores, Memory(together, slots, steps))
    pieces = np.split(np.arange(400), np.sort(random.integers(1, 400, 15)))
    parts = [spot.relative(scores[i], Memory(apart, slots[i], steps[i])) for i in pieces]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert apart.tobytes() == together.tobytes()


def test_json_keeps_every_bit():
    spot = fitted(depth=7)
    assert Spot.from_dict(json.loads(json.dumps(spot.to_dict()))) == spot


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk": 0.0}, "a risk between 0 and 1"),
        ({"threshold": -1.0}, "a threshold above 0"),
        ({"peaks": 0.0}, "needs peaks to start with"),
        ({"level": -1e9}, "in held-out data cannot be compared with another"),
        ({"depth": -1}, "depth must not be negative"),
        ({"memory_scores": 0}, "memory_scores at least 1"),
    ],
)
def test_values_that_make_no_sense_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        Spot.from_dict(fitted().to_dict() | change)


def test_without_peaks_there_is_nothing_to_start_from():
    with pytest.raises(SpecError, match="needs peaks to start with; give more held-out data"):
        Spot.fit(np.ones(100), threshold=2.0, level=1.5)
