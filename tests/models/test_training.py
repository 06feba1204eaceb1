from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from models.architectures import build
from models.errors import SpecError, TrainingError
from models.fitting.loop import TrainingLoop
from models.fitting.objective import WindowObjective
from models.fitting.windows import WindowBank, lay_windows
from models.spec import ModelSpec
from models.training import Clipping, Start, TrainOptions, train

pytestmark = pytest.mark.keras
SECOND_NS = 1_000_000_000


def test_training_records_each_epoch(tiny_trained):
    history = tiny_trained.history
    assert [record.epoch for record in history.epochs] == [1, 2, 3]
    assert history.epochs[-1].loss < history.epochs[0].loss
    for record in history.epochs:
        assert 0 < record.gradient_norm.median <= record.gradient_norm.max
        assert 0 < record.clipped_norm.median <= record.clipped_norm.max <= 1.0 + 1e-6
        assert [layer.layer for layer in record.layers] == ["encoder", "code", "decoder", "reconstruction"]
        assert [layer.recurrent for layer in record.layers] == [True, False, True, False]
        assert math.isfinite(record.val_loss)
    assert history.epochs[history.best_epoch - 1].val_loss == min(record.val_loss for record in history.epochs)
    assert (history.stopped, history.message) == ("epochs", "all 3 epochs done")
    assert history.parameters == tiny_trained.model.count_params()
    assert json.loads(json.dumps(history.to_dict()))["epochs"][0]["epoch"] == 1


def test_held_out_data_scores_about_one_and_the_threshold_is_above(tiny_trained):
    calibration = tiny_trained.calibration
    assert calibration.quantiles["0.5"] < 2
    assert calibration.threshold > calibration.quantiles["0.98"]
    assert calibration.samples == tiny_trained.history.held_out_windows
    assert calibration.expected_alerts_per_day is not None


def test_the_scaler_never_sees_held_out_rows(tiny_data, tiny_spec, tiny_trained):
    changed = {name: (times_ns, values.copy()) for name, (times_ns, values) in tiny_data.items()}
    for _, values in changed.values():
        values[330:] *= 100  # of 400 rows, those from 307 on belong to held-out windows
    assert train(changed, tiny_spec, TrainOptions(epochs=1)).scaler.to_dict() == tiny_trained.scaler.to_dict()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tiny_data, tiny_spec, tiny_trained):
    again = train(tiny_data, tiny_spec, TrainOptions(epochs=3))
    for one, other in zip(again.model.get_weights(), tiny_trained.model.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    first, second = (
        build(ModelSpec(channels=("a",), window=4, units=4, latent=2, seed=seed)).get_weights() for seed in (0, 1)
    )
    assert any(one.tobytes() != other.tobytes() for one, other in zip(first, second, strict=True))


def test_progress_is_told_after_every_step(tiny_data, tiny_spec):
    told = []
    train(tiny_data, tiny_spec, TrainOptions(epochs=2, batch_windows=128), progress=lambda *step: told.append(step))
    steps = [(epoch, batch) for epoch, _, batch, _, _ in told]
    batches = told[0][3]
    assert steps == [(epoch, batch) for epoch in (1, 2) for batch in range(1, batches + 1)]
    assert [("val_loss" in logs) for *_, batch, _, logs in told] == [batch == batches for *_, batch, _, _ in told]


def test_an_interrupt_in_the_callback_ends_training(tiny_data, tiny_spec):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_data, tiny_spec, TrainOptions(epochs=2), progress=interrupt)


def test_too_little_data_is_refused_with_what_would_do(tiny_spec):
    data = {"s": (np.arange(30) * SECOND_NS, np.random.default_rng(0).normal(size=(30, 3)))}
    with pytest.raises(TrainingError, match="the longest has 30 rows, and windows of 16 need about 36 in an unbroken"):
        train(data, tiny_spec, TrainOptions(epochs=1))


def test_missing_values_and_gaps_are_trained_around(tiny_data, tiny_spec):
    times_ns, values = tiny_data["a"]
    holed = values.copy()
    holed[np.random.default_rng(0).random(holed.shape) < 0.1] = np.nan
    kept = np.r_[0:100, 103:250, 300:400]
    trained = train({"a": (times_ns[kept], holed[kept])}, tiny_spec, TrainOptions(epochs=1))
    assert math.isfinite(trained.history.epochs[0].val_loss)
    assert np.isfinite(trained.golden).all()


class Bank(WindowBank):
    """Hands out windows that are no numbers after so many draws."""

    def __init__(self, *arguments, good_draws):
        super().__init__(*arguments)
        self.left = good_draws

    def draw(self, starts):
        self.left -= 1
        windows, observed = super().draw(starts)
        return (windows if self.left >= 0 else windows * np.float32(np.nan)), observed


def loop(data, spec, good_draws, **options):
    from models.scaling import Scaler
    from models.segments import cut

    laid = {
        name: lay_windows(cut(times_ns, values, spec.period_ns, 5), spec.window, 0.2, 0.5)
        for name, (times_ns, values) in data.items()
    }
    scaler = Scaler.fit({name: series.training_values() for name, series in laid.items()})
    bank = Bank(laid, scaler, spec.window, good_draws=good_draws)
    model = build(spec)
    held_out = bank.held_out["a"]
    chosen = TrainOptions(**options)
    objective = WindowObjective(model, bank, held_out, chosen)
    return model, TrainingLoop(objective, chosen.epochs_for(bank.train.size), chosen, 0, lambda: 0.0, None)


def test_a_loss_that_is_no_number_keeps_the_best_weights(tiny_data, tiny_spec):
    # Each epoch draws one batch to learn from and one to validate; the third epoch's are bad.
    model, running = loop(tiny_data, tiny_spec, 4, epochs=5, batch_windows=1000)
    result = running.run()
    assert (result.stopped, len(result.epochs), result.best_epoch) == ("not_finite", 2, 2)
    assert "the loss became infinite or no number in step 1 of epoch 3; the weights of epoch 2" in result.message
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_a_loss_that_is_no_number_at_once_is_an_error_with_a_remedy(tiny_data, tiny_spec):
    _, running = loop(tiny_data, tiny_spec, 0, epochs=5)
    with pytest.raises(
        TrainingError,
        match=r"loss .* no number in step 1 of epoch 1; lower learning_rate \(0.005\) .* look at the data",
    ):
        running.run()


def test_training_stops_when_nothing_is_gained_and_gives_the_best_weights_back(tiny_data, tiny_spec):
    model, running = loop(tiny_data, tiny_spec, 10**6, epochs=30, patience=2, learning_rate=1e-12)
    before = model.get_weights()
    result = running.run()
    assert result.stopped == "no_improvement"
    assert result.message.startswith("no improvement in 2 epochs")
    assert len(result.epochs) == 3
    for one, other in zip(before, model.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_clipping_is_recorded_before_and_after(tiny_data, tiny_spec):
    _, running = loop(tiny_data, tiny_spec, 10**6, epochs=1, clipping=Clipping(global_clipnorm=1e-3))
    (record,) = running.run().epochs
    assert record.gradient_norm.max > 1e-3
    assert record.clipped_norm.median == pytest.approx(1e-3)
    assert record.clipped_steps == record.steps
    # Layers together are the whole, and one factor scales them all.
    (one_step,) = loop(tiny_data, tiny_spec, 10**6, epochs=1, batch_windows=10**4)[1].run().epochs
    assert math.hypot(*(layer.before.max for layer in one_step.layers)) == pytest.approx(one_step.gradient_norm.max)
    factors = {round(layer.after.max / layer.before.max, 5) for layer in one_step.layers}
    assert len(factors) == 1


def test_the_step_size_falls_along_a_cosine(tiny_data, tiny_spec):
    _, running = loop(tiny_data, tiny_spec, 10**6, epochs=3, learning_rate=1e-3)
    rates = [record.learning_rate for record in running.run().epochs]
    assert rates == pytest.approx([1e-3, 0.51e-3, 0.02e-3])


class TestGoingOnFromAModel:
    """Fine-tuning."""

    def distance(self, one, other):
        return sum(float(np.square(a - b).sum()) for a, b in zip(one, other, strict=True))

    def test_its_weights_move_on_in_its_scale(self, tiny_data, tiny_spec, tiny_trained):
        later = {name: (times_ns, values * 1.1 + 1) for name, (times_ns, values) in tiny_data.items()}
        spec = dataclasses.replace(tiny_spec, seed=99)
        start = Start(tiny_spec, tiny_trained.model, tiny_trained.scaler)
        before = [array.copy() for array in tiny_trained.model.get_weights()]
        tuned = train(later, spec, TrainOptions(epochs=1, learning_rate=2e-4, horizon_sequences=0), start=start)
        weights = tuned.model.get_weights()
        assert 0 < self.distance(weights, before) < 0.05 * self.distance(build(spec).get_weights(), before)
        assert tuned.scaler.to_dict() == tiny_trained.scaler.to_dict()
        # The model that it began with is as it was.
        assert self.distance(tiny_trained.model.get_weights(), before) == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"window": 8}, "of another shape: it has window 16 rather than 8; train from new weights"),
            ({"channels": ("x", "z", "y")}, r"it has channels \('x', 'y', 'z'\) rather than \('x', 'z', 'y'\)"),
            ({"architecture": "gru"}, "it has architecture 'lstm' rather than 'gru'"),
        ],
    )
    def test_a_model_of_another_shape_is_refused(self, tiny_data, tiny_spec, tiny_trained, change, message):
        start = Start(tiny_spec, tiny_trained.model, tiny_trained.scaler)
        with pytest.raises(SpecError, match=message):
            train(tiny_data, dataclasses.replace(tiny_spec, **change), TrainOptions(epochs=1), start=start)

    @pytest.mark.parametrize("architecture", ["pca", "autoregression", "seq2seq"])
    def test_a_model_that_is_fitted_as_a_whole_is_refused(self, tiny_data, tiny_spec, tiny_trained, architecture):
        spec = dataclasses.replace(tiny_spec, architecture=architecture, options={})
        start = Start(spec, None, tiny_trained.scaler)
        with pytest.raises(SpecError, match=f"of architecture {architecture}, which is fitted as a whole; train it"):
            train(tiny_data, spec, TrainOptions(epochs=1), start=start)
