from __future__ import annotations

import json

import numpy as np
import pytest

from models.errors import SpecError
from models.reference import Bins, Reference
from models.variation import Track, Usual

NAN = np.nan
STABLE, SHIFTED = 0.1, 0.25


def normal(count, seed=0, shift=0.0, scale=1.0, channels=3):
    return np.random.default_rng(seed).normal(shift, scale, size=(count, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    scores = np.random.default_rng(2).exponential(size=(3000, 1))
    tracks = [track(normal(5000), "a"), track(normal(5000, 1), "b")]
    return Reference.of(tracks, [track(scores[:1500], "a"), track(scores[1500:], "b")])


def track(values, series="a"):
    return Track(series, np.arange(len(values)) * 1_000_000_000, values)


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
    reference = Reference.of([track(resting)], [track(np.ones((10, 1)))])
    assert stability(reference, resting)[0] == pytest.approx(0, abs=0.01)
    assert stability(reference, resting + 1)[0] > SHIFTED
    assert stability(reference, resting - 1)[0] > SHIFTED


def test_json_keeps_every_bit(reference):
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_usual_indices_are_of_stretches_against_the_rest(reference):
    # Independent draws: an index is about (bins - 1) (1 / n + 1 / rest), so the shorter a stretch the more.
    lengths = reference.channels[0].together.seconds
    assert lengths == (500.0, 1000.0) or lengths == pytest.approx((250, 500, 1000), rel=0.01)
    shortest, longest = reference.usual(0, 2), reference.usual(1e9, 2)
    assert (shortest[:3] > longest[:3]).all()
    assert (longest[:3] > 0).all()
    assert (shortest[:3] < STABLE).all()


def test_one_series_may_be_farther_from_all_than_all_together_ever_are():
    # Two series, each constant in its place: together always the same, alone always half of it.
    tracks = [
        track(normal(4000, seed, shift=shift, channels=1), name) for name, seed, shift in (("a", 0, -3), ("b", 1, 3))
    ]
    reference = Reference.of(tracks, [])
    one, two, three = (reference.usual(1000, series)[0] for series in (1, 2, 3))
    assert one > 10 * two
    assert two == three
    assert two < STABLE


def test_a_few_series_lie_between_one_and_all():
    usual = {"together": Usual((1.0,), (0.1,)), "alone": Usual((1.0,), (0.9,))}
    reference = Reference((Bins((1.0,), (0.5, 0.5), **usual),), Bins((), (1.0,)), series=4)
    assert [reference.usual(1, series)[0] for series in (1, 2, 4, 5)] == pytest.approx([0.9, 0.1 + 0.8 / 3, 0.1, 0.1])


def test_the_longest_stretch_that_is_not_longer():
    usual = Usual((10.0, 20.0), (0.5, 0.3))
    assert [usual.at(seconds) for seconds in (1, 10, 19, 20, 99)] == [0.5, 0.5, 0.5, 0.3, 0.3]
    assert Usual().at(5) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"seconds": [2, 1], "indices": [0, 0]}, "ascending lengths"),
        ({"seconds": [1], "indices": []}, "one index for each"),
        ({"seconds": [0], "indices": [1]}, "its length is not above 0"),
        ({"seconds": [1], "indices": [-1]}, "not a number from 0"),
        ({"seconds": "x", "indices": []}, "must be lists of numbers"),
        ({"seconds": []}, "lacks indices"),
        ([], "must be objects"),
    ],
)
def test_damaged_usual_indices_are_refused(data, message):
    with pytest.raises(SpecError, match=message):
        Usual.from_dict(data)


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
    usual = {name: {"seconds": [], "indices": []} for name in ("together", "alone")}
    with pytest.raises(SpecError, match=message):
        Reference.from_dict(
            {"channels": [], "score": bins if isinstance(bins, list) else {**usual, **bins}, "series": 1}
        )


def test_a_reference_of_no_series_is_refused():
    with pytest.raises(SpecError, match="the reference is of 0 series"):
        Reference((), Bins((), (1.0,)), series=0)
