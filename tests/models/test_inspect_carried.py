"""Listening in on a model with carried memory, and following it from what was really carried."""

from __future__ import annotations

import numpy as np
import pytest

from detector.inspection.opening import open_up
from detector.inspection.tap import Tap
from detector.inspection.view import rows_of
from detector.scoring.scorer import Scorer
from detector.series.values import WindowBatch
from models.bundle import load_keras_model, open_runtime
from models.scores import ScoreRule

pytestmark = pytest.mark.keras
SECOND_NS = 1_000_000_000
FACTS = {"series": "a", "stream": "s", "model": {}}


@pytest.fixture(scope="module")
def model(streaming_bundle):
    return load_keras_model(streaming_bundle)


@pytest.fixture(scope="module")
def runtime(streaming_bundle):
    return open_runtime(streaming_bundle)


def rows(count=80):
    steps = np.arange(count)
    return np.stack([np.sin(steps / 5), 5 + 3 * np.cos(steps / 9), np.full(count, 7.0)], axis=1)


def batch(values, ends, steps, length=8):
    count = len(ends)
    return WindowBatch(
        slots=np.zeros(count, np.int32),
        series=["a"] * count,
        time_ns=np.asarray(ends, np.int64) * SECOND_NS,
        offsets=np.asarray(ends, np.int64),
        start_offsets=np.asarray(ends, np.int64) + 1 - length,
        values=np.stack([values[end + 1 - length : end + 1] for end in ends]),
        coverage_ok=np.ones(count, np.bool_),
        steps=np.asarray(steps, np.int64),
    )


def listen(bundle, runtime, values, stride=1, keep=20, until=10**6):
    """Score a series in one batch, and say what was heard and what is carried afterwards."""
    tap = Tap("a", until * SECOND_NS, keep)
    scorer = tap.scorer(Scorer(bundle, tap.runtime(runtime)))
    states = np.zeros(1, scorer.state_dtype)
    ends = np.arange(7, len(values), stride)
    steps = np.where(np.arange(len(ends)) == 0, 0, stride)
    scores = scorer.score(batch(values, ends, steps), states)
    plain = Scorer(bundle, runtime)
    expected = plain.score(batch(values, ends, steps), np.zeros(1, plain.state_dtype))
    np.testing.assert_array_equal(scores.score, expected.score)  # whoever listens changes nothing
    return tap, states


def carried_by_the_model(states):
    """One record; estimates beside the model carry something as well."""
    record = states["model"][0]
    return record["model"] if "model" in record.dtype.names else record


@pytest.mark.parametrize("stride", [1, 3])
def test_states_lead_to_what_the_worker_carries_on(streaming_bundle, runtime, model, stride, monkeypatch):
    # So that what was expected when the window was scored can be compared with what is rebuilt now.
    monkeypatch.setattr(ScoreRule, "told_by", "reconstruction")
    values = rows()
    tap, states = listen(streaming_bundle, runtime, values, stride)
    view = open_up(list(tap.steps), streaming_bundle, model, 20, 1.0, FACTS)
    (layer,) = view.layers
    carried = carried_by_the_model(states)
    for name, found in layer.states.items():
        assert found.shape == (20, 6)
        np.testing.assert_allclose(found[-1], carried[name], atol=1e-5)
    last = 7 + (len(values) - 8) // stride * stride
    np.testing.assert_array_equal(view.seen, values[last - 19 : last + 1])
    assert view.times_ns.tolist() == [SECOND_NS * place for place in range(last - 19, last + 1)]
    assert np.isnan(view.score).tolist() == [(place - 7) % stride != 0 for place in range(last - 19, last + 1)]
    assert view.facts["runtime_difference"] < 1e-4
    # The window ends at the last sample, and is rebuilt from there backwards.
    assert np.isnan(view.reconstruction).any(axis=1).tolist() == [True] * 12 + [False] * 8
    np.testing.assert_allclose(view.reconstruction[-1], view.expected[-1], rtol=1e-6)


def test_a_series_that_begins_is_followed_from_an_empty_memory(streaming_bundle, runtime, model):
    tap, states = listen(streaming_bundle, runtime, rows(10))
    view = open_up(list(tap.steps), streaming_bundle, model, 64, 1.0, FACTS)
    assert len(view.times_ns) == 10
    np.testing.assert_allclose(view.layers[0].states["hidden"][-1], carried_by_the_model(states)["hidden"], atol=1e-5)


def test_a_memory_that_an_anomaly_filled_is_followed_into_the_fresh_one(streaming_bundle, runtime, model):
    values = rows()
    values[30:50] = 1e6  # beyond all limits, and longer than what the memory is given up after
    tap, states = listen(streaming_bundle, runtime, values, keep=40)
    view = open_up(list(tap.steps), streaming_bundle, model, 40, 1.0, FACTS)
    for name, found in view.layers[0].states.items():
        np.testing.assert_allclose(found[-1], carried_by_the_model(states)[name], atol=1e-5)


def test_nothing_after_the_time_is_kept_and_a_new_beginning_forgets_what_was_before(streaming_bundle, runtime):
    tap, _ = listen(streaming_bundle, runtime, rows(), until=40)
    assert tap.steps[-1].time_ns == 40 * SECOND_NS
    assert (len(tap.steps), tap.nearest_ns) == (20, (7 * SECOND_NS, 79 * SECOND_NS))
    scorer = tap.scorer(Scorer(streaming_bundle, tap.runtime(runtime)))
    scorer.score(batch(rows(), [20], [0]), np.zeros(1, scorer.state_dtype))
    assert [(step.anew, step.new_rows) for step in tap.steps] == [(True, 8)]


def test_times_between_windows_are_made_up_evenly_without_a_period(streaming_bundle, runtime):
    tap, _ = listen(streaming_bundle, runtime, rows(20), stride=3)
    found = rows_of(list(tap.steps), None)
    assert found.times_ns.tolist() == [SECOND_NS * place for place in range(20 - 20, 20)][: len(found.times_ns)]
    assert found.scored.tolist() == [-1] * 7 + [0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4]
