from __future__ import annotations

import json

import numpy as np
import pytest

from models.errors import SpecError
from models.reference import Bins, Reference

NAN = np.nan
STABLE, SHIFTED = 0.1, 0.25


def normal(count, seed=0, shift=0.0, scale=1.0, channels=3):
    return np.random.default_rng(seed).normal(shift, scale, size=(count, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    return Reference.of([normal(5000), normal(5000, 1)], np.random.default_rng(2).exponential(size=3000))


def stability(reference, rows, scores=None):
    counts = reference.new_counts()
    scores = np.random.default_rng(3).exponential(size=len(rows)) if scores is None else scores
    for part, some in zip(np.array_split(rows, 7), np.array_split(scores, 7), strict=True):
        reference.count(part, some, counts)
    return reference.stability(counts)


def test_more_of_the_same_is_stable(reference):
    assert (stability(reference, normal(2000, 9)) < STABLE).all()


def test_a_shift_of_one_channel_is_that_channel_s(reference):
    rows = normal(2000, 9)
    rows[:, 1] += 1
    found = stability(reference, rows)
    assert found[1] > SHIFTED
    assert (found[[0, 2, 3]] < STABLE).all()


def test_the_index_by_hand():
    # Bins below 1, and from there on, with a half each; now a fifth and four fifths.
    one = Reference((Bins((1.0,), (0.5, 0.5)),), Bins((), (1.0,)))
    rows = np.r_[np.zeros(20), np.full(80, 2.0)].astype(np.float32)[:, None]
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert stability(one, rows)[0] == pytest.approx(expected)


def test_scores_have_an_index_of_their_own(reference):
    found = stability(reference, normal(2000, 9), np.full(2000, 9.0))
    assert found[3] > SHIFTED > found[0]


def test_what_is_missing_is_not_counted(reference):
    rows, scores = normal(2000, 9), np.full(2000, NAN)
    rows[:, 0] = NAN
    assert np.isnan(stability(reference, rows, scores)).tolist() == [True, False, False, True]


def test_a_channel_that_rests_shows_when_it_does_not():
    resting = np.zeros((500, 1), np.float32)
    reference = Reference.of([resting], np.ones(10))
    assert stability(reference, resting)[0] == pytest.approx(0, abs=0.01)
    assert stability(reference, resting + 1)[0] > SHIFTED
    assert stability(reference, resting - 1)[0] > SHIFTED


def test_json_keeps_every_bit(reference):
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ({"edges": [1.0], "shares": [1.0]}, "one more share than edges"),
        ({"edges": [2.0, 1.0], "shares": [0.1, 0.2, 0.7]}, "ascending edges"),
        ({"edges": [float("inf")], "shares": [0.5, 0.5]}, "not finite"),
        ({"edges": [1.0], "shares": [-0.5, 1.5]}, "a share is not from 0 to 1"),
        ({"edges": "x", "shares": []}, "must be lists of numbers"),
        ({"edges": list(range(20)), "shares": [1 / 21] * 21}, "more than 10 bins"),
        ([], "must be objects"),
    ],
)
def test_a_damaged_reference_is_refused(bins, message):
    with pytest.raises(SpecError, match=message):
        Reference.from_dict({"channels": [], "score": bins})
