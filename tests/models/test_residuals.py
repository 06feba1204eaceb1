from __future__ import annotations

import json

import numpy as np
import pytest

from models.errors import SpecError
from models.residuals import ResidualScore, impute

NAN = np.nan


def window(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array([rows], np.float32)


def test_gaps_are_filled_with_the_value_before_and_leading_ones_with_the_centre():
    filled, observed = impute(window((NAN, 1), (2, NAN), (NAN, NAN), (3, 4)))
    assert filled[0].tolist() == [[0, 1], [2, 1], [2, 1], [3, 4]]
    assert observed[0].tolist() == [[False, True], [True, False], [False, False], [True, True]]


def test_filling_looks_at_no_other_window():
    filled, _ = impute(np.array([[[5.0], [6.0]], [[NAN], [7.0]]], np.float32))
    assert filled[1].ravel().tolist() == [0, 7]


def test_score_by_hand():
    # The tail is the last two rows. x: (1 + 9) / 2 * 2 = 10; y: (4 + 0) / 2 * 1 = 2; mean over two channels.
    seen, rebuilt = window((9, 9), (1, 2), (3, 0)), np.zeros((1, 3, 2), np.float32)
    score, contributions = ResidualScore(2, np.array([2.0, 1.0])).score(seen, rebuilt, np.ones((1, 3, 2), bool))
    assert score.tolist() == [6.0]
    assert contributions.tolist() == [[5.0, 1.0]]


def test_what_was_not_observed_does_not_count():
    filled, observed = impute(window((0, 9), (2, NAN), (NAN, NAN)))
    score, contributions = ResidualScore(2, np.ones(2)).score(filled, np.zeros_like(filled), observed)
    assert score.tolist() == [4.0]
    assert contributions.tolist() == [[4.0, 0.0]]


def test_a_tail_without_observations_has_no_score_rather_than_zero():
    filled, observed = impute(window((1, 1), (NAN, NAN), (NAN, NAN)))
    score, _ = ResidualScore(2, np.ones(2)).score(filled, filled, observed)
    assert np.isnan(score).tolist() == [True]


def test_a_tail_longer_than_the_window_takes_all_of_it():
    seen = window((2,), (4,))
    score, _ = ResidualScore(50, np.ones(1)).score(seen, np.zeros_like(seen), np.ones_like(seen, bool))
    assert score.tolist() == [10.0]


def test_held_out_data_scores_one_on_average():
    noise = np.random.default_rng(0).normal(scale=[0.1, 1.0, 3.0], size=(500, 8, 3)).astype(np.float32)
    observed = np.ones_like(noise, bool)
    rule = ResidualScore.fit(noise, np.zeros_like(noise), observed, tail=8)
    score, _ = rule.score(noise, np.zeros_like(noise), observed)
    assert score.mean() == pytest.approx(1)
    # Weights are reciprocal to the mean squares, but for the first, which stands at the floor.
    assert rule.channel_weights[1] / rule.channel_weights[2] == pytest.approx(9, rel=0.1)
    assert rule.channel_weights[0] / rule.channel_weights[1] == pytest.approx(10, rel=0.1)


def test_a_channel_that_never_moves_neither_dominates_nor_vanishes():
    rule = ResidualScore.from_mean_squares(np.array([1.0, 0.0]))
    assert 1 < rule.channel_weights[1] / rule.channel_weights[0] <= 10


def test_when_nothing_moves_weights_are_one():
    assert ResidualScore.from_mean_squares(np.zeros(3)).channel_weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize("channels", [1, 3, 38])
def test_a_score_has_the_same_bits_whatever_else_is_in_the_batch(channels):
    random = np.random.default_rng(1)
    seen = random.normal(size=(301, 12, channels)).astype(np.float32)
    seen[random.random(seen.shape) < 0.1] = NAN
    filled, observed = impute(seen)
    rebuilt = random.normal(size=filled.shape).astype(np.float32)
    rule = ResidualScore(8, random.random(channels))
    whole, parts = rule.score(filled, rebuilt, observed)
    for _ in range(10):
        cuts = np.sort(random.integers(1, 301, 20))
        split = [
            rule.score(*part) for part in zip(*(np.split(a, cuts) for a in (filled, rebuilt, observed)), strict=True)
        ]
        assert np.concatenate([score for score, _ in split]).tobytes() == whole.tobytes()
        assert np.concatenate([contribution for _, contribution in split]).tobytes() == parts.tobytes()
    alone = [impute(row[None])[0] for row in seen]
    assert np.concatenate(alone).tobytes() == filled.tobytes()


def test_contributions_add_up_to_the_score():
    random = np.random.default_rng(2)
    seen = random.normal(size=(20, 9, 5)).astype(np.float32)
    score, contributions = ResidualScore(4, random.random(5)).score(seen, seen * 0, np.ones_like(seen, bool))
    assert contributions.sum(axis=1) == pytest.approx(score, rel=1e-12)


def test_json_keeps_every_bit():
    rule = ResidualScore(5, np.random.default_rng(0).random(7))
    back = ResidualScore.from_dict(json.loads(json.dumps(rule.to_dict())))
    assert (back.tail, back.channel_weights.tobytes()) == (5, rule.channel_weights.tobytes())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"tail": 0, "channel_weights": [1.0]}, "tail is 0"),
        ({"tail": 1, "channel_weights": [-1.0]}, "not negative"),
        ({"tail": 1, "channel_weights": []}, "one per channel"),
    ],
)
def test_values_that_make_no_sense_are_refused(data, message):
    with pytest.raises(SpecError, match=message):
        ResidualScore.from_dict(data)
