from __future__ import annotations

import numpy as np
import pytest

from models.memory import Memory, new_states
from models.outputs import Output
from models.scores import PartErrors, ScoreOptions, ScoreRule
from models.scores.surprise import LEAST_USUAL, MOST_SURPRISE, Surprise


def squares(count, seed=0, scale=1.0):
    """Squares of a Pareto variable of index 1/4, whose tail is known: a share of x^-4 exceeds x."""
    return (scale * (1 - np.random.default_rng(seed).random(count)) ** -0.25) ** 2


def run(surprise, averages, states=None):
    averages = np.asarray(averages, float).reshape(len(averages), -1)
    states = new_states(surprise.state_dtype, 1) if states is None else states
    steps = np.r_[0, np.ones(len(averages) - 1, int)]
    return surprise.advance(averages, Memory(states, np.zeros(len(averages), int), steps))[:, 0]


@pytest.fixture
def surprise():
    return Surprise(np.array([float(np.quantile(squares(100_000), 0.98))]))


def test_the_surprise_of_an_error_is_how_rare_it_is(surprise):
    found = run(surprise, np.r_[squares(20_000, 1), 10.0**2])
    # One in ten thousand exceeds 10.
    assert found[-1] == pytest.approx(4, abs=0.5)
    assert (found[2000:-1] > 3).mean() == pytest.approx(1e-3, rel=0.6)


def test_a_series_on_another_scale_is_compared_with_itself(surprise):
    loud = run(surprise, squares(20_000, 2, scale=20.0))
    assert (loud[-10_000:] > 3).mean() == pytest.approx(1e-3, rel=0.8)
    assert loud[0] > 5


def test_a_fault_of_any_size_moves_it_little(surprise):
    quiet, large, vast = (new_states(surprise.state_dtype, 1) for _ in range(3))
    for states, fault in ((quiet, []), (large, [1e4]), (vast, [1e12])):
        run(surprise, np.r_[squares(5000, 3), fault], states)
    assert abs(large["level"] - quiet["level"])[0, 0] < 0.03
    assert vast["level"] == large["level"]


def test_nothing_is_more_surprising_than_that(surprise):
    assert run(surprise, [1e300]).tolist() == [MOST_SURPRISE]


def test_what_is_unknown_teaches_nothing(surprise):
    some, holes = (new_states(surprise.state_dtype, 1) for _ in range(2))
    run(surprise, [1.0, 9.0], some)
    assert np.isnan(run(surprise, [1.0, np.nan, 9.0], holes)).tolist() == [False, True, False]
    assert some.tobytes() == holes.tobytes()


def test_a_rule_with_surprise_is_as_large_as_its_contributions_and_forgets_at_a_gap():
    random = np.random.default_rng(4)
    part = PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0)
    rule = ScoreRule((part,), (1, 10), "surprise", np.full((1, 2), 4.0))
    seen = random.normal(size=(500, 1, 2)).astype(np.float32)
    output = Output({"reconstruction": np.zeros_like(seen)})
    memory = Memory(new_states(rule.state_dtype, 1), np.zeros(500, int), (np.arange(500) % 250 > 0).astype(int))
    score, contributions = rule.score(seen, output, np.ones(seen.shape, bool), memory)
    assert contributions.sum(axis=1) == pytest.approx(score)
    again = Memory(new_states(rule.state_dtype, 1), np.zeros(250, int), (np.arange(250) > 0).astype(int))
    later = Output({"reconstruction": np.zeros_like(seen[250:])})
    assert (rule.score(seen[250:], later, np.ones((250, 1, 2), bool), again)[0] == score[250:]).all()


def test_it_is_a_link_like_the_others():
    assert ScoreOptions(link="surprise", parts=("local", "level")).link == "surprise"


def test_while_a_series_rests_its_quantile_falls_only_so_far():
    least = Surprise(np.array([LEAST_USUAL]))
    states = new_states(least.state_dtype, 1)
    run(least, np.zeros(50), states)
    assert states["level"][0, 0] == pytest.approx(np.log(LEAST_USUAL))
    # So an error that is as small as can be is nothing to speak of afterwards.
    assert least.advance(np.array([[LEAST_USUAL]]), Memory(states, np.zeros(1, int), np.ones(1, int)))[0, 0] < 2


def test_the_first_ordinary_move_after_a_long_rest_is_ordinary(surprise):
    usual, first = float(np.exp(surprise._usual[0])), []
    for rest in (0, 10_000):
        states = new_states(surprise.state_dtype, 1)
        run(surprise, np.r_[squares(2000, 3), np.zeros(rest)], states)
        memory = Memory(states, np.zeros(1, int), np.ones(1, int))
        first.append(surprise.advance(np.array([[usual]]), memory)[0, 0])
    assert first[1] == pytest.approx(first[0], abs=0.3)


def test_a_series_that_seldom_moves_is_surprised_by_a_move(surprise):
    """Rests are part of its past like all else, as long as none lasts too long."""
    states = new_states(surprise.state_dtype, 1)
    bursts = np.tile(np.r_[np.zeros(400), 1.0], 20)
    run(surprise, bursts, states)
    assert states["level"][0, 0] < surprise._usual[0] - 2


def test_a_series_that_is_quieter_than_held_out_data_is_still_compared_with_itself(surprise):
    quiet = run(surprise, squares(25_000, 5, scale=0.1))
    assert (quiet[-10_000:] > 3).mean() == pytest.approx(1e-3, rel=0.8)
