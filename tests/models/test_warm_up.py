from __future__ import annotations

import numpy as np
import pytest

from models.chain import Chain
from models.memory import Memory, new_states
from models.outputs import Output
from models.scaling import Scaler
from models.scores import PartErrors, ScoreRule
from models.warm_up import HELD_BACK, WarmUp

CHANNELS, LENGTH = 2, 3


def windows_of(rows):
    ends = np.arange(LENGTH, len(rows) + 1)
    return np.stack([rows[end - LENGTH : end] for end in ends])


def series(rows, seed=0, centre=(1000.0, -5.0), scale=(20.0, 0.5)):
    return np.random.default_rng(seed).normal(centre, scale, size=(rows, CHANNELS))


def measure(warm_up, windows, steps=None):
    count = len(windows)
    steps = np.r_[0, np.ones(count - 1, int)] if steps is None else np.array(steps)
    memory = Memory(new_states(warm_up.state_dtype, 1), np.zeros(count, int), steps)
    return warm_up.measure(windows, np.arange(count), memory)


@pytest.fixture
def warm_up():
    return WarmUp(50, np.zeros(CHANNELS), np.ones(CHANNELS))


def test_mean_and_deviation_of_the_first_samples_and_no_others(warm_up):
    rows = series(100)
    found = measure(warm_up, windows_of(rows))
    assert found.ready.sum() == 100 - 50 + 1
    assert np.flatnonzero(found.first).tolist() == [50 - LENGTH]
    assert found.centre[-1] == pytest.approx(rows[:50].mean(axis=0))
    assert found.scale[-1] == pytest.approx([rows[:50, 0].std(), rows[:50, 1].std()], rel=1e-6)


def test_what_is_missing_is_not_measured(warm_up):
    rows = series(60)
    rows[::2, 0] = np.nan
    found = measure(warm_up, windows_of(rows))
    assert found.centre[-1, 0] == pytest.approx(rows[1:50:2, 0].mean())


def test_a_channel_at_rest_takes_the_usual_scale(warm_up):
    rows = np.column_stack([np.full(60, 7.0), np.r_[np.zeros(59), 1e-3]])
    found = measure(warm_up, windows_of(rows))
    assert found.scale[-1].tolist() == [1.0, 1.0]
    assert found.centre[-1].tolist() == [7.0, 0.0]


def test_after_a_gap_it_is_measured_anew(warm_up):
    rows = series(120)
    found = measure(warm_up, windows_of(rows), [0] + [1] * 19 + [0] + [1] * 97)
    assert np.flatnonzero(found.ready)[0] == 20 + 50 - LENGTH
    assert found.centre[-1] == pytest.approx(rows[20:70].mean(axis=0))


@pytest.mark.parametrize("far", [1e30, -9999.0, 1e308, -1e200])
@pytest.mark.parametrize("places", [[0], [10, 49], list(range(HELD_BACK - 1))])
def test_values_that_are_none_measure_nothing(warm_up, far, places):
    clean = series(80)
    rows = clean.copy()
    rows[places, 0] = far
    found = measure(warm_up, windows_of(rows))
    rest = np.delete(clean[:50], places, axis=0)[:, 0]
    assert found.centre[-1, 0] == pytest.approx(rest.mean())
    assert found.scale[-1, 0] == pytest.approx(rest.std())
    other = measure(warm_up, windows_of(clean))
    assert (found.centre[-1, 1], found.scale[-1, 1]) == (other.centre[-1, 1], other.scale[-1, 1])


def test_the_first_value_may_be_none_where_few_are_seen(warm_up):
    rows = np.full((60, CHANNELS), np.nan)
    rows[::8] = series(8)
    rows[0, 0] = 1e30
    found = measure(warm_up, windows_of(rows))
    assert found.centre[-1, 0] == pytest.approx(rows[8:50:8, 0].mean())


def test_bursts_are_no_mistakes_where_they_are_usual(warm_up):
    rows = np.zeros((60, CHANNELS))
    rows[::4, 0] = 100.0
    found = measure(warm_up, windows_of(rows))
    assert found.centre[-1, 0] == pytest.approx(rows[:50, 0].mean())
    assert found.scale[-1, 0] == pytest.approx(rows[:50, 0].std())


def test_more_values_that_overflow_leave_a_channel_to_the_usual_scale(warm_up):
    rows = series(80)
    rows[5 : 5 + 2 * HELD_BACK, 0] = 1e200
    found = measure(warm_up, windows_of(rows))
    rows[:, 0] = np.nan
    never = measure(warm_up, windows_of(rows))
    assert (found.centre[-1] == never.centre[-1]).all()
    assert (found.scale[-1] == never.scale[-1]).all()


def test_the_same_bits_however_windows_are_put_together(warm_up):
    random = np.random.default_rng(3)
    windows = random.normal(size=(600, LENGTH, CHANNELS))
    windows[random.random(windows.shape) < 0.1] = np.nan
    slots, steps = random.integers(0, 4, 600), random.integers(1, LENGTH + 2, 600)
    steps[np.unique(slots, return_index=True)[1]] = 0
    together, apart = (new_states(warm_up.state_dtype, 4) for _ in range(2))
    whole = warm_up.measure(windows, np.arange(600), Memory(together, slots, steps))
    for piece in np.split(np.arange(600), np.sort(random.integers(1, 600, 12))):
        found = warm_up.measure(windows[piece], np.arange(len(piece)), Memory(apart, slots[piece], steps[piece]))
        assert (found.ready == whole.ready[piece]).all()
        assert (found.first == whole.first[piece]).all()
        ready = found.ready
        assert found.scale[ready].tobytes() == whole.scale[piece][ready].tobytes()
    assert apart.tobytes() == together.tobytes()
    assert whole.first.sum() == 4


class Zero:
    """A model that expects the centre, always, and counts the windows that each series has shown it."""

    state_dtype = np.dtype([("shown", "<i4")])

    def __call__(self, windows, memory=None):
        for chosen in memory.rounds():
            slots = memory.slots[chosen]
            shown = memory.states["shown"][slots]
            memory.states["shown"][slots] = np.where(memory.steps[chosen] == 0, 1, shown + 1)
        return Output({"reconstruction": np.zeros_like(windows)})


class TestChain:
    def chain(self, warm_up=50):
        scaler = Scaler(("known",), np.array([[0.0, 0.0], [1000.0, -5.0]]), np.array([[1.0, 1.0], [20.0, 0.5]]), 1e6)
        rule = ScoreRule((PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0),), (1,), "plain", np.ones((1, 1)))
        return Chain(scaler, Zero(), rule, None, warm_up)

    def judge(self, chain, windows, name, states=None):
        count = len(windows)
        memory = Memory(
            new_states(chain.state_dtype, 1) if states is None else states,
            np.zeros(count, int), np.r_[0, np.ones(count - 1, int)],
        )  # fmt: skip
        return chain.judge(windows, np.full(count, chain.row(name)), np.ones(count, bool), memory)

    def test_a_series_that_training_saw_is_judged_at_once(self):
        judged = self.judge(self.chain(), windows_of(series(20)), "known")
        assert 0.2 < np.median(judged.score) < 2
        assert judged.expected[0] == pytest.approx([1000, -5])

    def test_a_new_series_is_judged_on_its_own_scale_after_its_warm_up(self):
        chain = self.chain()
        states = new_states(chain.state_dtype, 1)
        judged = self.judge(chain, windows_of(series(200)), "new", states)
        assert np.isnan(judged.score).sum() == 50 - LENGTH
        assert 0.5 < np.nanmean(judged.score) < 2
        assert judged.expected[-1] == pytest.approx([1000, -5], rel=0.05)
        # The model saw nothing of it before.
        assert states["model"]["shown"][0] == np.isfinite(judged.score).sum()

    @pytest.mark.parametrize("shape", ["wave", "steps", "bursts"])
    def test_a_new_series_is_scaled_as_one_like_it_that_training_saw(self, shape):
        """Its first samples give a deviation, and the scale of what is not normal is another one."""
        phase = np.arange(400) / 10
        rows = {
            "wave": np.sin(phase),
            "steps": np.sign(np.sin(phase)),
            "bursts": np.where(np.arange(400) % 20 == 0, 8.0, np.random.default_rng(0).normal(size=400)),
        }[shape]
        rows = np.column_stack([rows, 3 * rows])
        scaler = Scaler.fit({"a": rows, "b": 5 * rows})
        found = measure(WarmUp(400, scaler.centre[0], scaler.scale[0], scaler.per_deviation), windows_of(7 * rows))
        assert found.scale[-1] == pytest.approx(7 * scaler.scale[scaler.row("a")], rel=0.02)

    def test_what_is_shown_as_expected_is_what_the_score_compares_with(self):
        class Both(Zero):
            def __call__(self, windows, memory=None):
                output = super().__call__(windows, memory)
                later = np.full_like(windows[:, -1:], 2.0)
                later[0] = np.nan  # none was made before the first sample
                return Output({**output.parts, "prediction": later})

        parts = [PartErrors(name, "squared", 1, np.ones(2), 1.0) for name in ("reconstruction", "prediction")]
        for judged_by, last in ((parts, 2.0), (parts[:1], 0.0)):
            rule = ScoreRule(tuple(judged_by), (1,), "plain", np.ones((len(judged_by), 1)))
            scaler = Scaler(("known",), np.zeros((2, 2)), np.ones((2, 2)))
            judged = self.judge(Chain(scaler, Both(), rule), np.zeros((3, LENGTH, 2)), "known")
            assert judged.expected.tolist() == [[0.0, 0.0], [last, last], [last, last]]

    def test_without_a_warm_up_it_is_scaled_as_all_together_are(self):
        chain = self.chain(warm_up=0)
        assert (self.judge(chain, windows_of(series(20)), "new").score > 1e5).all()

    def test_what_may_not_be_scored_is_unknown(self):
        chain = self.chain()
        windows = windows_of(series(20))
        memory = Memory(new_states(chain.state_dtype, 18), np.arange(18), np.zeros(18, int))
        usable = np.arange(18) % 2 == 0
        judged = chain.judge(windows, np.ones(18, int), usable, memory)
        assert (np.isnan(judged.score) == ~usable).all()
        assert (memory.states["model"]["shown"] == 1).all()
