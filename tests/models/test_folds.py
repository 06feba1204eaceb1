"""Measuring all of short data in turns: what is held out when, and what the final model learned from."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SpecError, TrainingError
from models.scaling import Scaler
from models.segments import Segment
from models.spec import ModelSpec
from models.training import Start, TrainOptions, train
from models.training.folds import lay_folds, lay_whole

SECOND_NS = 1_000_000_000
WINDOW = 3


def segment(start: int, rows: int) -> Segment:
    """Values say which second of the whole they are of."""
    times = np.arange(start, start + rows)
    return Segment(times * SECOND_NS, times[:, None].astype(np.float64), np.ones(rows, np.bool_))


def seconds(windows, which) -> list[list[int]]:
    return [
        windows.segments[number].values[end - WINDOW + 1 : end + 1, 0].astype(int).tolist() for number, end in which
    ]


class TestLayFolds:
    def test_each_part_is_held_out_once_and_no_window_crosses_its_edges(self):
        folds = lay_folds([segment(0, 7), segment(100, 5)], WINDOW, 3, 0.5)
        held_out = [seconds(fold, fold.held_out) for fold in folds]
        assert held_out == [
            [[0, 1, 2], [1, 2, 3]],
            [[4, 5, 6]],  # row 100 is alone
            [[101, 102, 103], [102, 103, 104]],
        ]
        assert [seconds(fold, fold.train) for fold in folds] == [
            [[4, 5, 6], [100, 101, 102], [101, 102, 103], [102, 103, 104]],
            [[0, 1, 2], [1, 2, 3], [101, 102, 103], [102, 103, 104]],
            [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]],
        ]

    def test_the_scaler_sees_nothing_of_the_part_that_is_held_out(self):
        folds = lay_folds([segment(0, 12)], WINDOW, 4, 0.5)
        assert [fold.training_values()[:, 0].tolist() for fold in folds] == [
            [second for second in range(12) if not 3 * number <= second < 3 * number + 3] for number in range(4)
        ]

    def test_the_whole_is_learned_from_and_its_end_tells_when_to_stop(self):
        whole = lay_whole((segment(0, 10),), WINDOW, 0.25, 0.5)
        assert len(whole.train) == 8
        assert seconds(whole, whole.held_out) == [[6, 7, 8], [7, 8, 9]]


@pytest.fixture(scope="module")
def data():
    noise = np.random.default_rng(5)
    values = np.sin(np.arange(160)[:, None] / [4, 6]) + noise.normal(scale=0.1, size=(160, 2))
    return {"a": (np.arange(160) * SECOND_NS, values)}


@pytest.fixture(scope="module")
def spec():
    return ModelSpec(channels=("x", "y"), architecture="autoregression", window=6, period_seconds=1.0)


@pytest.mark.keras
class TestTraining:
    def test_all_is_learned_from_and_all_is_measured(self, data, spec):
        trained = train(data, spec, TrainOptions(folds=4, horizon_sequences=0))
        assert trained.scaler.to_dict() == Scaler.fit({"a": data["a"][1]}).to_dict()
        # Each of four parts of 40 rows has 35 windows; the final model learned from all 155.
        assert trained.calibration.samples == trained.history.held_out_windows == 4 * 35
        assert trained.history.training_windows == 155

    def test_what_is_measured_was_not_learned_from(self, data, spec):
        """With the noise of one part doubled, the others' models are surprised by it, and by nothing else so much."""
        times, values = data["a"]
        spoiled = values.copy()
        spoiled[80:120] += np.random.default_rng(6).normal(scale=2.0, size=(40, 2))
        usual, odd = (
            train({"a": (times, rows)}, spec, TrainOptions(folds=4, horizon_sequences=0)).calibration.quantiles
            for rows in (values, spoiled)
        )
        assert odd["1.0"] / odd["0.5"] > 3 * usual["1.0"] / usual["0.5"]

    def test_parts_that_hold_no_window(self, data, spec):
        short = {"a": tuple(part[:14] for part in data["a"])}
        with pytest.raises(TrainingError) as caught:
            train(short, spec, TrainOptions(folds=4))
        assert str(caught.value) == (
            "no series is long enough for 4 folds of windows of 6; give more data, a shorter window or fewer folds"
        )

    def test_a_model_to_go_on_from_has_seen_all_parts(self, data):
        resumable = ModelSpec(channels=("x", "y"), architecture="gru", window=6, period_seconds=1.0)
        with pytest.raises(SpecError, match=r"^folds are for a training from the beginning: a model to go on from has"):
            train(data, resumable, TrainOptions(folds=4), start=Start(resumable, None, Scaler.fit({"a": data["a"][1]})))

    @pytest.mark.parametrize("folds", [1, 21, -2])
    def test_how_many_there_may_be(self, folds):
        with pytest.raises(SpecError, match=f"^folds is {folds}; it must be 0, or from 2 to 20$"):
            TrainOptions(folds=folds)
