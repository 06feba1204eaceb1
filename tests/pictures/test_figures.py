"""Thresholds, trainings, lines and words."""

from __future__ import annotations

import numpy as np
import pytest
from bokeh.models import Span
from hypothesis import given
from hypothesis import strategies as st

from detector.pictures import gradient_norms, layer_norms, losses, score_histogram, what_if_curve
from detector.pictures.lines import breaks, broken, outline, thinned
from detector.pictures.words import duration, number


def test_every_score_is_in_the_histogram_once_on_its_side_of_the_threshold():
    scores = np.concatenate([np.full(100, 0.5), np.full(7, 5.0), [np.nan, 0.0]])
    picture = score_histogram(scores, 2.0)
    below, above = (sum(renderer.data_source.data["count"]) for renderer in picture.renderers)
    assert (below, above) == (101, 7)
    assert picture.title.text.text == "Scores   7 of 108 above 2"
    assert [one.location for one in picture.center if isinstance(one, Span)] == [2.0]


def test_a_histogram_of_nothing_known_is_empty():
    picture = score_histogram(np.full(3, np.nan), 2.0)
    assert sum(sum(renderer.data_source.data["count"]) for renderer in picture.renderers) == 0


def what_if(*incidents, days=10.0):
    ratios = (0.5, 1, 2)
    tried = [
        {"threshold": 3.0 * ratio, "ratio": ratio, "incidents": count, "incidents_per_day": None, "series": 1}
        for ratio, count in zip(ratios, incidents, strict=True)
    ]
    return {"days": days, "thresholds": tried}


def test_what_if_counts_by_day_and_marks_the_present_threshold():
    picture = what_if_curve(what_if(100, 10, 0))
    data = picture.renderers[0].data_source.data
    assert data["rate"].tolist() == [10.0, 1.0, 0.0]
    assert (data["drawn"] > 0).all()
    assert 3.0 in [one.location for one in picture.center if isinstance(one, Span)]
    assert picture.title.text.text == "Incidents a day, by threshold   3 in force"


def test_what_if_without_any_incident_or_time():
    data = what_if_curve(what_if(0, 0, 0, days=0.0)).renderers[0].data_source.data
    assert np.isfinite(data["drawn"]).all()


def norms(median):
    return {"median": median, "p90": 2 * median, "p99": 3 * median, "max": 5 * median}


def epochs(count=4, loss=1.0):
    return [
        {
            "epoch": epoch,
            "loss": loss / epoch,
            "val_loss": 1.2 * loss / epoch,
            "learning_rate": 0.005,
            "seconds": 1.5,
            "gradient_norm": norms(4.0 / epoch),
            "clipped_norm": norms(min(1.0, 4.0 / epoch)),
            "clipped_steps": 3,
            "steps": 12,
            "layers": [
                {"layer": name, "recurrent": True, "before": norms(scale), "after": norms(scale)}
                for name, scale in (("encoder", 1.0), ("decoder", 0.0))
            ],
        }
        for epoch in range(1, count + 1)
    ]


def test_losses_of_every_epoch_and_which_one_was_kept():
    picture = losses(epochs(), 3)
    data = picture.renderers[0].data_source.data
    assert data["val_loss"].tolist() == [1.2, 0.6, pytest.approx(0.4), 0.3]
    assert 3 in [one.location for one in picture.center if isinstance(one, Span)]
    assert picture.title.text.text == "Loss   epoch 3 was kept"


def test_gradient_norms_before_and_after_with_their_bound():
    picture = gradient_norms(epochs(), 1.0, "global_clipnorm 1")
    data = picture.renderers[0].data_source.data
    assert data["median"].tolist() == [4.0, 2.0, pytest.approx(4 / 3), 1.0]
    assert data["after"].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert data["share"].tolist() == [0.25] * 4
    assert 1.0 in [one.location for one in picture.center if isinstance(one, Span)]


def test_a_layer_without_gradient_is_not_drawn_on_a_logarithmic_axis():
    picture = layer_norms(epochs())
    found = {renderer.data_source.name: renderer.data_source.data for renderer in picture.renderers}
    assert found["layer:encoder"]["median"].tolist() == [1.0] * 4
    assert np.isnan(found["layer:decoder"]["median"]).all()


curves = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=400).map(np.array)


@given(curves, st.integers(4, 60))
def test_thinning_keeps_ends_extremes_and_edges_of_gaps(curve, most):
    kept = thinned([curve], most)
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == len(curve) - 1
    known = np.isfinite(curve)
    if known.any():
        assert np.nanmax(curve[kept]) == np.nanmax(curve)
        assert np.nanmin(curve[kept]) == np.nanmin(curve)
    change = np.flatnonzero(known[1:] != known[:-1])
    if len(curve) > most:
        assert set(change.tolist()) | set((change + 1).tolist()) <= set(kept.tolist())


def test_a_line_breaks_where_time_leaps_and_nowhere_else():
    times = np.arange(100) * 10
    times[50:] += 200
    every = np.arange(100)
    assert breaks(times, every).tolist() == [50]
    some = every[::7]
    (at,) = breaks(times, some).tolist()
    assert some[at - 1] < 50 <= some[at]
    assert breaks(times[:50], some[some < 50]).size == 0
    assert np.isnan(broken(np.arange(4), np.array([2]))[2])


def test_samples_that_were_thinned_before_are_still_one_line():
    # As of a long incident: every sample at both ends, one in sixteen between them.
    times = np.concatenate([np.arange(0, 100), np.arange(100, 1700, 16), np.arange(1700, 1800)]) * 10
    assert breaks(times, np.arange(len(times))).size == 0


def test_an_outline_goes_around_each_stretch_in_which_both_are_known():
    x = np.arange(6.0)
    first, second = np.array([1, 2, np.nan, 3, 4, 5.0]), np.zeros(6)
    xs, ys = outline(x, first, second)
    assert xs[:4].tolist() == [0, 1, 1, 0]
    assert ys[:4].tolist() == [1, 2, 0, 0]
    assert np.isnan(xs[4])
    assert xs[5:].tolist() == [3, 4, 5, 5, 4, 3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (95.0, "95"), (0.123456, "0.1235"), (1234567.0, "1,234,567"), (1e9, "1.000e+09"), (None, "missing"),
     (float("nan"), "missing"), (-2.5, "-2.5"), (2e-7, "2.000e-07")],
)  # fmt: skip
def test_numbers_as_people_read_them(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (59, "59 s"), (1800, "30 min"), (7500, "2 h 5 min"), (90061, "1 d 1 h")],
)
def test_durations_as_people_read_them(seconds, text):
    assert duration(seconds) == text
