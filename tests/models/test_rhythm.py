from __future__ import annotations

import numpy as np
import pytest

from models.companions import beside
from models.companions.rhythm import DAY_NS, daily, left_by, weekly
from models.errors import SpecError
from models.memory import Memory, new_states
from models.outputs import Output
from models.scores import ScoreOptions, Stretch

QUARTER_NS = DAY_NS // 96
LENGTH = 4


def windows_of(rows):
    ends = np.arange(LENGTH, len(rows) + 1)
    return np.stack([rows[end - LENGTH : end] for end in ends]).astype(np.float32)


def days(count, per_day=96, seed=0, noise=0.05):
    """A wave a day, with a weekend that rests."""
    steps = np.arange(count * per_day)
    random = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * (steps % per_day) / per_day)
    return (wave + random.normal(scale=noise, size=len(steps)))[:, None]


def estimate(companion, rows, period_ns=QUARTER_NS, first_ns=0, steps=None):
    windows = windows_of(rows)
    times = first_ns + np.arange(LENGTH - 1, len(rows)) * period_ns
    steps = np.r_[0, np.ones(len(windows) - 1, int)] if steps is None else steps
    memory = Memory(new_states(companion.state_dtype, 1), np.zeros(len(windows), int), steps, times)
    return companion.estimate(windows, memory)[:, 0, 0]


def test_until_a_time_of_day_has_been_seen_the_sample_before_is_expected():
    rows = days(1)
    found = estimate(daily(1, QUARTER_NS), rows)
    assert found == pytest.approx(rows[LENGTH - 2 : -1, 0], abs=1e-6)


def test_then_what_was_usual_at_that_time():
    rows = days(8)
    found = estimate(daily(1, QUARTER_NS), rows)
    residual = rows[LENGTH - 1 :, 0] - found
    assert np.sqrt(np.mean(residual[-96:] ** 2)) < 0.08
    assert rows.std() > 0.6


def test_a_mean_by_hand():
    # One row a quarter; at midnight 1, 2 and 4: the mean is 1, then 1 + (2 - 1) / 5.
    rows = np.zeros((96 * 3 + 1, 1))
    rows[[0, 96, 192, 288]] = [[1.0], [2.0], [4.0], [9.0]]
    found = estimate(daily(1, QUARTER_NS), rows)
    midnight = [96 * day - LENGTH + 1 for day in (1, 2, 3)]
    assert found[midnight] == pytest.approx([1.0, 1.2, 1.2 + 0.2 * 2.8])


def test_a_mean_of_very_many_samples_loses_nothing():
    """A fast stream: in float32 a sum of 17 million would stop counting ones."""
    companion = daily(1, None)
    states = new_states(companion.state_dtype, 1)
    quarter = states.copy()
    quarter["rows"], quarter["count"], quarter["sums"] = 2**24, 2**24, 2.0**24
    steps, slots = np.ones(1, int), np.zeros(1, int)
    for time_ns in [1] * 64 + [QUARTER_NS]:
        companion.estimate(
            np.full((1, LENGTH, 1), 2.0**20 + 1, np.float32), Memory(quarter, slots, steps, np.array([time_ns]))
        )
    assert quarter["means"][0, 0, 0] == pytest.approx((2.0**24 + 64 * (2.0**20 + 1)) / (2**24 + 64), rel=1e-7)


def test_a_fault_is_not_its_own_expectation_while_it_lasts():
    rows = days(5, per_day=96 * 15)
    rows[-10:] += 5
    found = estimate(daily(1, QUARTER_NS // 15), rows, QUARTER_NS // 15)
    assert (rows[-10:, 0] - found[-10:] > 4).all()


def test_a_week_knows_its_weekend():
    weeks = [np.concatenate([days(5, seed=week), 0.1 * days(2, seed=week)]) for week in range(4)]
    rows = np.concatenate(weeks)
    errors = []
    for make in (daily, weekly):
        found = estimate(make(1, QUARTER_NS), rows, first_ns=4 * DAY_NS)
        errors.append(float(np.mean((rows[-96:, 0] - found[-96:]) ** 2)))
    assert errors[1] < errors[0] / 5


def test_without_times_nothing_is_learned():
    companion, windows = daily(1, None), windows_of(days(3))
    count = len(windows)
    steps = np.r_[0, np.ones(count - 1, int)]
    memory = Memory(new_states(companion.state_dtype, 1), np.zeros(count, int), steps)
    companion.estimate(windows, memory)
    assert not memory.states["seen"].any()


class Nothing:
    state_dtype = None

    def __call__(self, windows, memory=None):
        return Output({"reconstruction": windows})


def test_the_same_bits_however_windows_are_put_together():
    random = np.random.default_rng(3)
    runtime = beside(Nothing(), ("daily", "weekly"), 2, QUARTER_NS)
    windows = random.normal(size=(600, LENGTH, 2)).astype(np.float32)
    slots, steps = random.integers(0, 9, 600), random.integers(0, LENGTH + 2, 600)
    times = np.sort(random.integers(0, 9 * DAY_NS, 600))
    together, apart = (new_states(runtime.state_dtype, 9) for _ in range(2))
    whole = runtime(windows, Memory(together, slots, steps, times)).parts
    pieces = np.split(np.arange(600), np.sort(random.integers(1, 600, 12)))
    parts = [runtime(windows[i], Memory(apart, slots[i], steps[i], times[i])).parts for i in pieces]
    for name in ("daily", "weekly"):
        assert np.concatenate([part[name] for part in parts]).tobytes() == whole[name].tobytes()
    assert apart.tobytes() == together.tobytes()


class TestLeftOpen:
    """``daily?`` counts where the data has that rhythm."""

    def stretch(self, rows):
        found = estimate(daily(1, QUARTER_NS), rows)
        seen = windows_of(rows)
        output = Output({"reconstruction": seen, "daily": found[:, None, None].astype(np.float32)})
        return Stretch(seen, output, np.ones(seen.shape, bool), np.ones(len(seen), int))

    def decided(self, rows):
        options = ScoreOptions(parts=("reconstruction", "daily?"))
        return options.decided(lambda part: left_by(part, [self.stretch(rows)]), 0.5).parts

    def test_it_counts_with_a_rhythm(self):
        assert self.decided(days(8)) == ("reconstruction", "daily")

    def test_it_does_not_count_without(self):
        assert self.decided(np.random.default_rng(0).normal(size=(800, 1))) == ("reconstruction",)
        assert self.decided(np.zeros((800, 1))) == ("reconstruction",)

    @pytest.mark.parametrize("rows", [90, 96 + 60])
    def test_it_does_not_count_where_hardly_any_time_of_day_came_twice(self, rows):
        # So smooth that the sample before, which is expected until then, leaves next to nothing.
        assert self.decided(days(2, noise=0.0)[:rows]) == ("reconstruction",)

    def test_it_counts_as_soon_as_most_did(self):
        assert self.decided(days(3, noise=0.0)) == ("reconstruction", "daily")

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            (("linear?", "daily"), "'linear[?]': only a rhythm may be left open; write linear"),
            (("daily?",), "needs a part that counts in any case"),
            (("daily?", "daily"), "names a part twice"),
        ],
    )
    def test_what_may_be_left_open(self, parts, message):
        with pytest.raises(SpecError, match=message):
            ScoreOptions(parts=parts)
