"""The decoder that feeds on its own output: what training feeds it, and what it writes when it serves."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from models.architectures import seq2seq
from models.fitting.loop import TrainingLoop
from models.fitting.teacher_forcing import TeacherForcing
from models.fitting.windows import WindowBank, lay_windows
from models.segments import cut
from models.training import TrainOptions

pytestmark = pytest.mark.keras
WINDOW = 8


@pytest.fixture(scope="module")
def bank(tiny_data, tiny_spec):
    from models.scaling import Scaler

    laid = {
        name: lay_windows(cut(times_ns, values, tiny_spec.period_ns, 5), WINDOW, 0.2, 0.5)
        for name, (times_ns, values) in tiny_data.items()
    }
    return WindowBank(laid, Scaler.fit({name: series.training_values() for name, series in laid.items()}), WINDOW)


def objective_of(spec, bank, model, **options):
    spec = dataclasses.replace(spec, architecture="seq2seq", window=WINDOW, options=options)
    task = SimpleNamespace(spec=spec, bank=bank, held_out=bank.held_out["a"], options=TrainOptions(batch_windows=50))
    return TeacherForcing(model, task)


class Trained:
    """A decoder trained with teacher forcing, in both of its forms."""

    def __init__(self, spec, bank):
        spec = dataclasses.replace(spec, architecture="seq2seq", window=WINDOW, units=12)
        self.served = seq2seq.build(spec)
        self.training = seq2seq.training_model(self.served, spec)
        options = TrainOptions(epochs=6, learning_rate=0.02)
        self.untrained_decoder = [array.copy() for array in self.training.get_layer("feedback").get_weights()]
        TrainingLoop(objective_of(spec, bank, self.training, sampling="none"), 6, options, 0, lambda: 0.0, None).run()
        seq2seq.fold(self.served, self.training)
        self.windows, _ = bank.draw(np.concatenate(list(bank.held_out.values())))

    def decoded(self, fed: float):
        """float32[n, window, channels] in the decoder's order, fed the truth always (1) or never (0)."""
        coins = np.full((len(self.windows), WINDOW - 1, 1), fed, np.float32)
        return np.asarray(self.training([self.windows, coins], training=False))


@pytest.fixture(scope="module")
def trained(tiny_spec, bank):
    return Trained(tiny_spec, bank)


def test_what_is_served_is_the_decoder_fed_its_own_output_in_the_order_of_the_window(trained):
    served = np.asarray(trained.served(trained.windows))
    assert served == pytest.approx(trained.decoded(0.0)[:, ::-1], abs=1e-5)


def test_both_modes_write_the_last_sample_alike_and_differ_from_there(trained):
    forced, free = trained.decoded(1.0), trained.decoded(0.0)
    assert forced[:, 0].tobytes() == free[:, 0].tobytes()
    assert (np.abs(forced[:, 1:] - free[:, 1:]).max(axis=(0, 2)) > 1e-3).all()


def test_one_step_from_the_truth_is_nearer_to_it_than_running_free(trained):
    backwards = trained.windows[:, ::-1]
    forced, free = (np.square(trained.decoded(fed) - backwards)[:, 1:].mean() for fed in (1.0, 0.0))
    assert forced < 0.8 * free


def test_a_step_depends_on_what_it_was_fed_and_not_on_what_comes_later(trained):
    changed = trained.windows.copy()
    changed[:, 4] += 1.0  # in the decoder's order sample 3: it is fed to step 4
    # The encoder reads the change as well; so compare from one code, that of the windows as they were.
    training, served = trained.training, trained.served
    from keras import Model

    code = Model(served.inputs[0], [served.get_layer(n).output for n in ("code", "decoder_hidden", "decoder_cell")])
    code, hidden, cell = code(trained.windows)
    layer, output = training.get_layer("feedback"), served.get_layer("reconstruction")

    def forced(windows):
        truth = windows[:, ::-1][:, :-1]
        steps = np.concatenate(
            [truth, np.ones_like(truth[:, :, :1]), np.repeat(np.asarray(code)[:, None], WINDOW - 1, axis=1)], axis=-1
        )
        return np.asarray(layer(steps, initial_state=[hidden, cell, output(hidden)]))

    difference = np.abs(forced(changed) - forced(trained.windows)).max(axis=(0, 2))
    assert (difference[:3] == 0).all()
    assert (difference[3:] > 0).all()


def test_the_trained_decoder_is_not_that_of_the_beginning(trained):
    now = trained.training.get_layer("feedback").get_weights()
    assert any(not np.array_equal(one, other) for one, other in zip(now, trained.untrained_decoder, strict=True))


class TestSchedule:
    def truth(self, spec, epochs=5, **options):
        objective = objective_of(spec, no_bank(), None, **options)
        return [round(objective.truth(epoch, epochs), 3) for epoch in range(1, epochs + 1)]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"sampling": "none"}, [1, 1, 1, 1, 1]),
            ({"sampling": "linear"}, [1, 0.75, 0.5, 0.25, 0]),
            ({"sampling": "linear", "least_truth": 0.6}, [1, 0.9, 0.8, 0.7, 0.6]),
            ({"sampling": "exponential"}, [1, 0.309, 0.091, 0.022, 0]),
            ({"sampling": "inverse_sigmoid"}, [1, 0.955, 0.5, 0.045, 0]),
        ],
    )
    def test_the_truth_becomes_rarer(self, tiny_spec, options, expected):
        assert self.truth(tiny_spec, **options) == expected

    def test_one_epoch_is_the_first(self, tiny_spec):
        assert self.truth(tiny_spec, epochs=1, sampling="linear") == [1]

    def test_coins_are_tossed_for_every_window_and_step_and_come_from_the_seed(self, tiny_spec, bank):
        objective = objective_of(tiny_spec, bank, None, sampling="linear")

        def coins(seed):
            count, batches = objective.batches(3, 5, np.random.default_rng(seed))
            drawn = [fed for _, _, fed in batches]
            assert len(drawn) == count
            return np.concatenate(drawn)

        fed = coins(0)
        assert fed.shape == (bank.train.size, WINDOW - 1, 1)
        assert set(np.unique(fed)) == {0.0, 1.0}
        assert fed.mean() == pytest.approx(0.5, abs=0.05)
        assert fed.mean(axis=1).std() > 0.1
        assert fed.tobytes() == coins(0).tobytes()
        assert fed.tobytes() != coins(1).tobytes()

    def test_held_out_windows_are_fed_nothing(self, tiny_spec, bank):
        assert all(not fed.any() for _, _, fed in objective_of(tiny_spec, bank, None).held_out())

    def test_training_does_not_stop_early_while_the_schedule_moves(self, tiny_spec):
        always, moving = (objective_of(tiny_spec, no_bank(), None, sampling=kind) for kind in ("none", "linear"))
        assert always.settled(1, 8)
        assert [moving.settled(epoch, 8) for epoch in (1, 5, 6, 8)] == [False, False, True, True]


def no_bank():
    return SimpleNamespace(held_out={"a": np.empty(0, np.int64)})
