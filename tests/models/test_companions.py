from __future__ import annotations

import numpy as np
import pytest

from models.companions import COMPANIONS, beside
from models.companions.level import Level
from models.companions.local import Local
from models.memory import Memory, new_states
from models.outputs import Output

LENGTH = 8


def windows_of(rows):
    ends = np.arange(LENGTH, len(rows) + 1)
    return np.stack([rows[end - LENGTH : end] for end in ends]).astype(np.float32)


def estimate(companion, rows, steps=None):
    windows = windows_of(np.asarray(rows, float).reshape(len(rows), -1))
    steps = np.r_[0, np.ones(len(windows) - 1, int)] if steps is None else np.asarray(steps)
    memory = Memory(new_states(companion.state_dtype, 1), np.zeros(len(windows), int), steps)
    return companion.estimate(windows, memory)[:, 0], memory.states


def autoregressive(count, seed=0, weights=(1.6, -0.8)):
    random, rows = np.random.default_rng(seed), [0.0, 0.0]
    for _ in range(count):
        rows.append(weights[0] * rows[-1] + weights[1] * rows[-2] + random.normal(scale=0.1))
    return np.array(rows[2:])


class TestLocal:
    def test_at_first_the_next_sample_is_expected_to_be_like_the_last(self):
        rows = np.full(LENGTH, 2.0)
        assert estimate(Local(1), rows)[0][0] == pytest.approx([2.0], abs=1e-6)

    def test_it_learns_the_weights_of_an_autoregression(self):
        _, states = estimate(Local(1), autoregressive(3000))
        assert states["weights"][0, 0, :2] == pytest.approx([1.6, -0.8], abs=0.08)

    def test_what_it_expects_is_made_before_the_sample_comes(self):
        rows = autoregressive(400)
        changed = rows.copy()
        changed[-1] += 5
        assert estimate(Local(1), rows)[0][-1] == estimate(Local(1), changed)[0][-1]

    def test_it_follows_a_series_that_changes_its_habits(self):
        rows = np.r_[autoregressive(3000), autoregressive(6000, 1, (-0.5, 0.2))]
        expected, _ = estimate(Local(1), rows)
        error = (rows[LENGTH - 1 :, None] - expected)[-1000:]
        assert np.sqrt(np.mean(error**2)) < 0.12

    def test_its_covariance_stays_symmetric_to_the_bit(self):
        """Forgetting doubles an asymmetry every 2,000 samples: rounding alone would be all there is after 100,000."""
        _, states = estimate(Local(2), np.random.default_rng(0).standard_normal((2000, 2)))
        covariance = states["covariance"][0]
        assert np.array_equal(covariance, covariance.transpose(0, 2, 1))
        assert (np.linalg.eigvalsh(covariance) > 0).all()

    def test_a_spike_does_not_teach_it_to_expect_spikes(self):
        rows = autoregressive(2000)
        before = estimate(Local(1), rows)[1]["weights"][0, 0]
        spiked = rows.copy()
        spiked[1950] = 1000.0
        after = estimate(Local(1), spiked)[1]["weights"][0, 0]
        assert np.abs(after - before).max() < 0.3

    def test_a_series_at_rest_does_not_let_it_run_away(self):
        rows = np.r_[np.zeros(20_000), 1.0, np.zeros(100)]
        expected, states = estimate(Local(1), rows)
        assert np.isfinite(expected).all()
        assert np.trace(states["covariance"][0, 0]) <= 600 + 1e-6

    def test_channels_do_not_mix(self):
        both = np.column_stack([autoregressive(300), autoregressive(300, 1)])
        together = estimate(Local(2), both)[0]
        for channel in range(2):
            assert (estimate(Local(1), both[:, channel])[0][:, 0] == together[:, channel]).all()

    def test_after_a_gap_it_knows_nothing(self):
        rows = autoregressive(100)
        steps = np.ones(93, int)
        steps[[0, 92]] = 0
        assert (estimate(Local(1), rows, steps)[0][-1] == estimate(Local(1), rows[-LENGTH:])[0][0]).all()


class TestLevel:
    def residual(self, rows):
        return rows[LENGTH - 1 :] - estimate(Level(1), rows)[0][:, 0]

    def test_its_residual_is_the_short_mean_less_the_long_one(self):
        found = self.residual(np.r_[np.zeros(2000), np.ones(60)])
        assert found[1990 - LENGTH] == pytest.approx(0, abs=1e-6)
        assert found[-1] == pytest.approx((1 - 1 / 500) ** 60 - (1 - 1 / 18.5) ** 60, abs=1e-4)

    def test_a_single_spike_hardly_shows(self):
        assert np.abs(self.residual(np.r_[np.zeros(1000), 1.0, np.zeros(5)])[-6:]).max() < 0.06


class Nothing:
    state_dtype = None

    def __call__(self, windows, memory=None):
        return Output({"reconstruction": windows})


class TestBeside:
    def test_only_what_the_score_looks_at(self):
        model = Nothing()
        assert beside(model, ("reconstruction",), 3) is model
        both = beside(model, ("level", "reconstruction", "local"), 3)
        assert both.state_dtype.names == ("local", "level")
        assert list(both(np.zeros((4, LENGTH, 3), np.float32)).parts) == ["reconstruction", "local", "level"]

    @pytest.mark.parametrize("name", COMPANIONS)
    def test_the_same_bits_however_windows_are_put_together(self, name):
        random = np.random.default_rng(3)
        runtime = beside(Nothing(), (name,), 2)
        windows = random.normal(size=(300, LENGTH, 2)).astype(np.float32)
        slots, steps = random.integers(0, 9, 300), random.integers(0, LENGTH + 2, 300)
        together, apart = (new_states(runtime.state_dtype, 9) for _ in range(2))
        whole = runtime(windows, Memory(together, slots, steps)).parts[name]
        pieces = np.split(np.arange(300), np.sort(random.integers(1, 300, 12)))
        parts = [runtime(windows[i], Memory(apart, slots[i], steps[i])).parts[name] for i in pieces]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
        assert apart.tobytes() == together.tobytes()
