from __future__ import annotations

import json

import numpy as np
import pytest

from models.errors import SpecError
from models.scaling import Scaler


def column(*values: float) -> np.ndarray:
    return np.array(values, float)[:, None]


def test_centre_is_the_median_and_scale_the_interquartile_range():
    scaler = Scaler.fit({"s": column(*range(101))})
    assert scaler.centre[1, 0] == 50
    assert scaler.scale[1, 0] == pytest.approx(50 / 1.3489795, rel=1e-6)


def test_the_scale_is_at_least_half_the_standard_deviation():
    values = column(*([0.0] * 95 + [8.0] * 5))  # idle with bursts: the interquartile range is 0
    assert Scaler.fit({"s": values}).scale[1, 0] == pytest.approx(values.std() / 2)


@pytest.mark.parametrize(("constant", "scale"), [(7.0, 0.7), (-200.0, 20.0), (0.0, 1.0)])
def test_a_constant_channel_shows_a_change_without_blowing_up(constant, scale):
    scaler = Scaler.fit({"s": column(*[constant] * 50)})
    assert scaler.scale[1, 0] == pytest.approx(scale)
    scaled = scaler.apply(np.array([[[constant], [constant + scale], [1e300]]]), np.array([1]))
    assert scaled[0, :, 0].tolist() == pytest.approx([0, 1, 10])


def test_rounding_noise_does_not_make_a_constant_vary():
    scaler = Scaler.fit({"s": column(*(1e10 + 1e-6 * (np.arange(50) % 2)))})
    assert scaler.scale[1, 0] == pytest.approx(1e9)


def test_a_channel_constant_in_one_series_takes_the_scale_of_those_where_it_varies():
    scaler = Scaler.fit({"still": column(*[5.0] * 101), "moving": column(*range(101))})
    assert scaler.scale[scaler.row("still"), 0] == scaler.scale[scaler.row("moving"), 0]
    assert scaler.centre[scaler.row("still"), 0] == 5


def test_an_unknown_series_is_scaled_as_all_together():
    low, high = np.arange(101.0), np.arange(1000.0, 1101)
    scaler = Scaler.fit({"low": low[:, None], "high": high[:, None]})
    assert scaler.row("never seen") == 0
    assert scaler.centre[0, 0] == np.median(np.concatenate([low, high]))
    assert {scaler.row("low"), scaler.row("high")} == {1, 2}


def test_missing_values_are_left_out_of_the_fit_and_stay_missing():
    scaler = Scaler.fit({"s": column(*range(101), np.nan, np.inf)})
    assert scaler.centre[1, 0] == 50
    scaled = scaler.apply(np.array([[[np.nan], [50.0]]]), np.array([1]))
    assert np.isnan(scaled[0, 0, 0])
    assert scaled[0, 1, 0] == 0


def test_a_channel_that_is_never_there_gets_a_usable_scale():
    scaler = Scaler.fit({"s": column(np.nan, np.nan), "t": column(np.nan)})
    assert scaler.centre.tolist() == [[0.0]] * 3
    assert scaler.scale.tolist() == [[1.0]] * 3


def test_large_offsets_lose_nothing_to_float32():
    values = 1e10 + np.arange(101.0)
    scaler = Scaler.fit({"s": values[:, None]})
    scaled = scaler.apply(values[None, :, None], np.array([1]))
    assert len(np.unique(scaled)) == 101
    assert scaler.invert(scaled, np.array([1]))[0, :, 0] == pytest.approx(values, abs=1e-4)


def test_each_window_is_scaled_by_its_own_series():
    scaler = Scaler(("a", "b"), np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [2.0], [4.0]]))
    scaled = scaler.apply(np.full((3, 1, 1), 10.0), np.array([2, 0, 1]))
    assert scaled.dtype == np.float32
    assert scaled.ravel().tolist() == [2.0, 10.0, 4.5]


def test_json_keeps_every_bit():
    scaler = Scaler.fit({"s": np.random.default_rng(0).normal(size=(50, 3)) / 3})
    back = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert back.centre.tobytes() == scaler.centre.tobytes()
    assert back.scale.tobytes() == scaler.scale.tobytes()
    assert back.per_deviation.tobytes() == scaler.per_deviation.tobytes()
    assert (back.series, back.clip) == (scaler.series, scaler.clip)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": [[1.0], [0.0]]}, "a scale is not above 0"),
        ({"scale": [[1.0]]}, "do not fit 1 series"),
        ({"scale": [[1.0], [1.0, 2.0]]}, "ragged"),
        ({"centre": [["x"], [1.0]]}, "must be numbers"),
        ({"centre": [[float("nan")], [1.0]]}, "not finite"),
        ({"clip": 0}, "clip is 0.0"),
        ({"per_deviation": [0.0]}, "per_deviation of the scaler must be a finite number above 0 for each channel"),
        ({"per_deviation": [1.0, 1.0]}, "per_deviation of the scaler"),
        ({"series": ["s", "s"], "centre": [[0.0]] * 3, "scale": [[1.0]] * 3}, "names a series twice"),
    ],
)
def test_tables_that_make_no_sense_are_refused(change, message):
    data = {"series": ["s"], "centre": [[0.0], [1.0]], "scale": [[1.0], [1.0]], "clip": 10.0, "per_deviation": [1.0]}
    with pytest.raises(SpecError, match=message):
        Scaler.from_dict(data | change)


def test_fitting_needs_series_with_as_many_channels_each():
    for data in ({}, {"a": np.zeros((3, 1)), "b": np.zeros((3, 2))}):
        with pytest.raises(SpecError, match="at least one series, and as many channels in each"):
            Scaler.fit(data)
