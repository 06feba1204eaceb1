from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from models.errors import SpecError
from models.memory import Memory, new_states
from models.outputs import Output
from models.scores import KINDS, LINKS, PartErrors, ScoreOptions, ScoreRule, Stretch
from models.scores.trailing import TrailingMeans

ROWS = 4


def window(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array([rows], np.float32)


def zeros(seen: np.ndarray, penalty: np.ndarray | None = None) -> Output:
    """A model that expects nothing but 0: residuals are what was seen."""
    return Output({"reconstruction": np.zeros_like(seen), "prediction": np.zeros_like(seen[:, -1:])}, penalty)


def everything(seen: np.ndarray) -> np.ndarray:
    return np.ones(seen.shape, bool)


def stretch_of(seen: np.ndarray) -> Stretch:
    return Stretch(seen, zeros(seen), everything(seen), np.ones(len(seen), int))


def errors(seen, kind="squared", tail=1, scale=None, observed=None, part="reconstruction", **others):
    scale = np.ones(seen.shape[2]) if scale is None else np.array(scale)
    rule = PartErrors(part, kind, tail, 1 / scale, 1.0, **others)
    return rule.errors(seen, zeros(seen), everything(seen) if observed is None else observed)


def noise(count=400, channels=3, seed=0, rows=ROWS) -> Stretch:
    """Consecutive windows over white noise whose channels differ a hundredfold."""
    scale = np.geomspace(0.1, 10, channels)
    rows_ = np.random.default_rng(seed).normal(scale=scale, size=(count + rows - 1, channels)).astype(np.float32)
    seen = np.lib.stride_tricks.sliding_window_view(rows_, rows, axis=0).transpose(0, 2, 1).copy()
    return stretch_of(seen)


class TestErrorsOfChannels:
    def test_squares_by_hand(self):
        # Of the last two rows: x (1 + 9) / 2 = 5; y (4 + 0) / 2 = 2; mean over two channels.
        error, shares = errors(window((9, 9), (1, 2), (3, 0)), tail=2)
        assert error.tolist() == [3.5]
        assert shares.tolist() == [[2.5, 1.0]]

    def test_standardised_divides_by_the_scale(self):
        assert errors(window((6, 1)), "standardised", scale=[2, 1])[1].tolist() == [[4.5, 0.5]]

    def test_robust_goes_straight_on_beyond_three_deviations(self):
        assert errors(window((3,)), "robust")[0].tolist() == [9]
        assert errors(window((5,)), "robust")[0].tolist() == [3 * (10 - 3)]

    def test_log_is_not_dominated_by_one_channel(self):
        _, shares = errors(window((1000, 10)), "log")
        assert shares[0, 0] / shares[0, 1] == pytest.approx(np.log1p(1e6) / np.log1p(100))

    def test_gaussian_is_the_mahalanobis_distance(self):
        covariance = np.array([[2.0, 0.9], [0.9, 1.0]])
        values, vectors = np.linalg.eigh(covariance)
        root = vectors / np.sqrt(values) @ vectors.T
        seen = window((1.0, -1.0))
        error, shares = errors(seen, "gaussian", whitening=root)
        assert error[0] == pytest.approx(seen[0, 0] @ np.linalg.inv(covariance) @ seen[0, 0] / 2)
        assert (shares >= 0).all()

    def test_gaussian_sees_a_broken_correlation(self):
        shared = np.random.default_rng(0).normal(size=(2000, 1, 1))
        seen = np.concatenate([shared, shared], axis=2).astype(np.float32)
        stretch = stretch_of(seen)
        fitted = {
            kind: PartErrors.fit("reconstruction", kind, 1, [stretch], ROWS) for kind in ("standardised", "gaussian")
        }
        together, apart = window((1, 1)), window((1, -1))
        ratio = {
            kind: float(
                (part.errors(apart, zeros(apart), everything(apart))[0]
                / part.errors(together, zeros(together), everything(together))[0])[0]
            )
            for kind, part in fitted.items()
        }  # fmt: skip
        assert ratio["standardised"] == pytest.approx(1)
        assert ratio["gaussian"] > 20

    def test_what_was_not_observed_does_not_count(self):
        seen = window((0, 9), (2, 9))
        error, shares = errors(seen, tail=2, observed=np.array([[[True, False], [True, False]]]))
        assert error.tolist() == [2.0]
        assert shares.tolist() == [[2.0, 0.0]]

    def test_nothing_observed_is_unknown_rather_than_zero(self):
        seen = window((1, 1))
        assert np.isnan(errors(seen, observed=~everything(seen))[0]).tolist() == [True]

    def test_no_prediction_yet_is_unknown(self):
        seen = window((1, 1))
        output = Output({"reconstruction": seen, "prediction": np.full((1, 1, 2), np.nan, np.float32)})
        part = PartErrors("prediction", "squared", 1, np.ones(2), 1.0)
        assert np.isnan(part.errors(seen, output, everything(seen))[0]).tolist() == [True]

    def test_a_tail_longer_than_the_part_takes_all_of_it(self):
        seen = window((2,), (4,))
        assert errors(seen, tail=50)[0].tolist() == [10.0]
        assert errors(seen, tail=50, part="prediction")[0].tolist() == [16.0]

    def test_a_penalty_is_borne_by_all_channels_alike(self):
        seen = window((2, 0))
        part = PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0, penalty_gain=0.5)
        error, shares = part.errors(seen, zeros(seen, np.array([6.0], np.float32)), everything(seen))
        assert error.tolist() == [5.0]
        assert shares.tolist() == [[3.5, 1.5]]

    @pytest.mark.parametrize("kind", KINDS)
    def test_held_out_data_comes_to_one_on_average(self, kind):
        stretch = noise(rows=1)
        part = PartErrors.fit("reconstruction", kind, 1, [stretch], ROWS)
        assert part.errors(stretch.filled, stretch.output, stretch.observed)[0].mean() == pytest.approx(1)

    def test_a_penalty_weighs_as_much_as_the_rows_of_the_whole_window(self):
        """Of long windows only the last rows are kept."""
        stretch = noise(channels=2)
        nats = np.ones(len(stretch.filled), np.float32)
        cut = replace(stretch, output=Output(stretch.output.parts, nats))
        part = PartErrors.fit("reconstruction", "standardised", 1, [cut], 200)
        assert part.penalty_gain == pytest.approx(part.gain * 2 / (2 * 200))

    def test_a_channel_that_never_moves_neither_dominates_nor_vanishes(self):
        seen = np.zeros((100, 1, 2), np.float32)
        seen[:, 0, 0] = np.random.default_rng(0).normal(size=100)
        part = PartErrors.fit("reconstruction", "standardised", 1, [stretch_of(seen)], ROWS)
        assert 1 < part.inverse_scale[1] / part.inverse_scale[0] <= np.sqrt(11)

    def test_when_nothing_moves_scales_are_one(self):
        seen = np.zeros((10, 1, 3), np.float32)
        part = PartErrors.fit("reconstruction", "standardised", 1, [stretch_of(seen)], ROWS)
        assert part.inverse_scale.tolist() == [1, 1, 1]


class TestAveragesOverTime:
    def rule(self, scales, link="plain", usual=None):
        part = PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0)
        usual = np.ones((1, len(scales))) if usual is None else np.array([usual])
        return ScoreRule((part,), scales, link, usual)

    def run(self, rule, values, steps=None, observed=None):
        seen = np.array(values, np.float32)[:, None, :]
        count = len(seen)
        memory = None
        if rule.state_dtype is not None:
            steps = np.r_[0, np.ones(count - 1, int)] if steps is None else np.array(steps)
            memory = Memory(new_states(rule.state_dtype, 1), np.zeros(count, int), steps)
        return rule.score(seen, zeros(seen), everything(seen) if observed is None else observed, memory)

    def test_one_sample_needs_no_memory(self):
        assert self.rule((1,)).state_dtype is None

    def test_means_of_the_last_samples_by_hand(self):
        # Errors are 1, 4, 9, 16: means over one and over three samples, and the mean of the two.
        score, _ = self.run(self.rule((1, 3)), [(1, 1), (2, 2), (3, 3), (4, 4)])
        assert score.tolist() == [1, (4 + 5 / 2) / 2, (9 + 14 / 3) / 2, (16 + 29 / 3) / 2]

    def test_logarithms_by_hand(self):
        # Means 4 and 2.5 over what is usual, 2 and 5: (1 + 2) * (1 + .5) = 4.5, of which the root, less 1.
        score, _ = self.run(self.rule((1, 3), "log", [2.0, 5.0]), [(1, 1), (2, 2)])
        assert score[1] == pytest.approx(np.sqrt(4.5) - 1)

    def test_an_unknown_sample_is_as_if_it_had_not_been(self):
        observed = np.ones((3, 1, 2), bool)
        observed[1] = False
        score, _ = self.run(self.rule((1, 3)), [(1, 1), (50, 50), (3, 3)], observed=observed)
        assert np.isnan(score).tolist() == [False, True, False]
        assert score[2] == (9 + 5) / 2

    def test_how_many_windows_are_worked_on_at_a_time_changes_no_bit(self, monkeypatch):
        """A long scale of many channels would otherwise need gigabytes for a batch."""
        rule, seen = self.rule((1, 3)), np.random.default_rng(0).normal(size=(40, 1, 2)).astype(np.float32)

        def run():
            memory = Memory(new_states(rule.state_dtype, 8), np.arange(40) % 8, np.ones(40, int))
            score, contributions = rule.score(seen, zeros(seen), everything(seen), memory)
            return score.tobytes(), contributions.tobytes(), memory.states.tobytes()

        whole, sizes = run(), []
        monkeypatch.setattr("models.scores.trailing.MOST_CELLS", 3 * 2 * 3)
        took = TrailingMeans._round
        monkeypatch.setattr(
            TrailingMeans, "_round", lambda self, errors, *rest: sizes.append(len(errors)) or took(self, errors, *rest)
        )
        assert run() == whole
        assert sizes == [3, 3, 2] * 5

    def test_what_comes_after_a_gap_does_not_remember(self):
        score, _ = self.run(self.rule((1, 3)), [(9, 9), (1, 1)], steps=[0, 0])
        assert score.tolist() == [81, 1]

    def test_a_large_fault_leaves_nothing_behind(self):
        values = [(1e6, 1e6)] + [(0.1, 0.3)] * 3
        assert self.run(self.rule((1, 3)), values)[0][-1] == self.run(self.rule((1, 3)), values[1:])[0][-1]

    def test_a_channel_is_blamed_as_long_as_its_fault_is_in_the_mean(self):
        _, contributions = self.run(self.rule((1, 10)), [(0.1, 9)] + [(0.1, 0.1)] * 4)
        assert (contributions[:, 1] > 10 * contributions[:, 0]).all()

    def test_contributions_of_very_many_channels_add_up_too(self):
        part = PartErrors("reconstruction", "squared", 1, np.ones(600), 1.0)
        rule = ScoreRule((part,), (10,), "plain", np.ones((1, 1)))
        score, contributions = self.run(rule, np.ones((3, 600)))
        assert contributions.sum(axis=1) == pytest.approx(score)
        assert score == pytest.approx(1)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("link", LINKS)
    def test_contributions_add_up_to_the_score(self, kind, link):
        stretch = noise(channels=5)
        parts = ("reconstruction", "prediction")
        rule = ScoreRule.fit([stretch], ROWS, ScoreOptions(kind=kind, link=link, parts=parts, tail=2))
        score, contributions = rule.score(
            stretch.filled, stretch.output, stretch.observed, stretch.memory(rule.state_dtype)
        )
        assert contributions.sum(axis=1) == pytest.approx(score, rel=1e-9)

    def test_every_scale_is_worth_as_much(self):
        stretch = noise(2000)
        rule = ScoreRule.fit([stretch], ROWS)
        score, _ = rule.score(stretch.filled, stretch.output, stretch.observed, stretch.memory(rule.state_dtype))
        assert rule.usual[0, 0] > rule.usual[0, 1] > rule.usual[0, 2] > 1
        assert 0.3 < np.median(score) < np.quantile(score, 0.999) < 3


@pytest.mark.parametrize("channels", [1, 3, 38])
@pytest.mark.parametrize("kind", KINDS)
def test_a_score_has_the_same_bits_however_windows_are_put_together(channels, kind):
    random = np.random.default_rng(1)
    seen = random.normal(size=(301, 2, channels)).astype(np.float32)
    observed = random.random(seen.shape) > 0.1
    rebuilt = random.normal(size=seen.shape).astype(np.float32)
    output = Output({"reconstruction": rebuilt})
    rule = ScoreRule.fit([Stretch(seen, output, observed, np.ones(len(seen), int))], 2, ScoreOptions(kind=kind, tail=2))
    slots, steps = random.integers(0, 40, 301), (random.random(301) > 0.05).astype(int)
    together = new_states(rule.state_dtype, 40)
    whole, parts = rule.score(seen, output, observed, Memory(together, slots, steps))
    for _ in range(5):
        apart = new_states(rule.state_dtype, 40)
        pieces = np.split(np.arange(301), np.sort(random.integers(1, 301, 20)))
        found = [
            rule.score(seen[i], Output({"reconstruction": rebuilt[i]}), observed[i], Memory(apart, slots[i], steps[i]))
            for i in pieces
        ]
        assert np.concatenate([score for score, _ in found]).tobytes() == whole.tobytes()
        assert np.concatenate([contribution for _, contribution in found]).tobytes() == parts.tobytes()
        assert apart.tobytes() == together.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_json_keeps_every_bit(kind):
    stretch = noise()
    rule = ScoreRule.fit([stretch], ROWS, ScoreOptions(kind=kind))
    back = ScoreRule.from_dict(json.loads(json.dumps(rule.to_dict())))
    before, after = (
        each.score(stretch.filled, stretch.output, stretch.observed, stretch.memory(each.state_dtype))[0]
        for each in (rule, back)
    )
    assert before.tobytes() == after.tobytes()


class TestWhatCanBeAskedFor:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"kind": "cubed"},
                "no score 'cubed'; choose one of: squared, standardised, robust, log, gaussian",
            ),
            ({"link": "max"}, "there is no link 'max'; choose one of: plain, log, surprise"),
            (
                {"parts": ("dream",)},
                "no 'dream'; choose of: reconstruction, prediction, linear, local, level, daily, weekly",
            ),
            ({"parts": ("linear", "linear")}, "a score names a part twice"),
            ({"tail": 0}, "tail is 0; it must be from 1 to 64 rows"),
            ({"tail": 65}, "tail is 65; it must be from 1 to 64 rows"),
            ({"scales": ()}, r"scales are \[\]; give different numbers of samples, ascending"),
            ({"scales": (10, 1)}, "give different numbers of samples, ascending"),
            ({"scales": (0, 1)}, "must be from 1 to 4096 samples"),
        ],
    )
    def test_nonsense_is_refused(self, options, message):
        with pytest.raises(SpecError, match=message):
            ScoreOptions(**options)

    def test_a_part_that_the_model_does_not_give_is_refused(self):
        with pytest.raises(SpecError, match="this model gives no linear; score one of: reconstruction, prediction"):
            ScoreRule.fit([noise(20)], ROWS, ScoreOptions(parts=("linear",)))

    def test_without_any_part_it_is_the_reconstruction(self):
        assert [part.part for part in ScoreRule.fit([noise(20)], ROWS).parts] == ["reconstruction"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"usual": [[1.0, 1.0]]}, "usual must be finite numbers above 0"),
            ({"usual": [[1.0, 1.0, 0.0]]}, "usual must be finite numbers above 0"),
            ({"scales": [1.5, 2, 3]}, "scales must be a list of integers"),
            ({"parts": [3]}, "parts must be a list of objects"),
            ({"link": "max"}, "there is no link"),
            ({"odd": 1}, "unknown keys: odd"),
        ],
    )
    def test_a_damaged_manifest_is_refused(self, change, message):
        data = ScoreRule.fit([noise(20)], ROWS).to_dict() | change
        with pytest.raises(SpecError, match=message):
            ScoreRule.from_dict(data)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"inverse_scale": [0.0]}, "inverse_scale must be finite numbers above 0"),
            ({"gain": -1.0}, "gain must be a finite number above 0"),
            ({"kind": "gaussian"}, "whitening belongs to the gaussian error"),
            ({"kind": "gaussian", "whitening": [[1.0, 2.0]]}, r"whitening must be finite numbers \[1, 1\]"),
            ({"tail": 0}, "there is no error 'standardised' of 'reconstruction' over 0 rows"),
        ],
    )
    def test_a_damaged_part_is_refused(self, change, message):
        data = PartErrors.fit("reconstruction", "standardised", 1, [noise(20, channels=1)], ROWS).to_dict() | change
        with pytest.raises(SpecError, match=message):
            PartErrors.from_dict(data)
