"""Clipping as Keras does it, norms by layer, and what they say about a training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.errors import SpecError, TrainingError
from models.fitting.gradients import GradientRecord, LayerGroup, LayerNorms, NormSummary, layer_groups
from models.fitting.loop import TrainingLoop
from models.fitting.record import EpochRecord
from models.horizon import Horizon
from models.training import Clipping, TrainOptions
from models.training.health import diagnose

GRADIENTS = ([[3.0, -4.0], [0.0, 0.1]], [12.0, -0.5, 0.25])
"""Norms 5 and 12, together 13; and a little more."""


@pytest.mark.keras
@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize(
    "bound", [{"clipnorm": 2.0}, {"clipvalue": 0.3}, {"global_clipnorm": 1.0}, {"clipnorm": 0.0}, {}], ids=str
)
def test_clipping_moves_weights_as_keras_own_optimiser_does(bound, scale):
    import keras
    import tensorflow as tf

    gradients = [tf.constant(gradient) * scale for gradient in GRADIENTS]
    weights = [keras.Variable(np.zeros(gradient.shape, "float32")) for gradient in gradients]
    keras.optimizers.SGD(1.0, **bound).apply(gradients, weights)
    clipped, changed = Clipping(**bound).apply(gradients)
    for ours, weight in zip(clipped, weights, strict=True):
        assert -np.asarray(weight) == pytest.approx(ours.numpy(), rel=1e-6, abs=1e-9)
    assert bool(changed) == (scale == 1.0 and any(bound.values()))


def test_only_one_bound_can_be_set():
    with pytest.raises(SpecError, match=r"only one of .*, global_clipnorm can be set, not clipnorm and"):
        Clipping(clipnorm=1.0, global_clipnorm=1.0)
    with pytest.raises(SpecError, match="clipvalue is -1; it must be above 0, or 0 to clip nothing"):
        Clipping(clipvalue=-1)
    assert [str(each) for each in (Clipping(clipvalue=0.5), Clipping(clipnorm=0.0), TrainOptions().clipping)] == [
        "clipvalue 0.5",
        "no clipping",
        "global_clipnorm 1",
    ]


@pytest.mark.keras
def test_variables_are_grouped_by_layer_and_direction():
    import keras

    inputs = keras.Input((4, 2))
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), name="encoder")(inputs)
    hidden = keras.layers.SimpleRNN(3, name="decoder")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(hidden))
    groups = layer_groups(model.trainable_variables)
    assert [(group.layer.replace("_lstm", ""), group.recurrent, len(group.members)) for group in groups] == [
        ("encoder/forward", True, 3), ("encoder/backward", True, 3), ("decoder", True, 3), ("out", False, 2),
    ]  # fmt: skip


def test_norms_are_summed_up_over_the_steps():
    record = GradientRecord([LayerGroup("first", True, (0,)), LayerGroup("last", False, (1,))])
    for step in range(1, 101):
        assert record.add(np.array([3.0 * step, 4.0 * step]), np.array([0.3, 0.4]), step > 10) == 5.0 * step
    whole, clipped, (first, last) = record.summaries()
    assert whole == NormSummary(median=252.5, p90=pytest.approx(450.5), p99=pytest.approx(495.05), max=500.0)
    assert (clipped.max, record.clipped_steps) == (pytest.approx(0.5), 90)
    assert (first.before.max, last.before.max, last.after.median, first.recurrent) == (300.0, 400.0, 0.4, True)
    record.add(np.array([1.0, np.inf]), np.array([0.0, np.nan]), True)
    assert record.bad_layer() == "last"


class Powers:
    """Minimises ``mean((x * weight) ** power)``, whose values and gradients are known."""

    def __init__(self, batches, start=1.0, power=1, settles=1):
        import keras

        inputs = keras.Input((1,))
        self.model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, name="only")(inputs))
        self.model.set_weights([np.full((1, 1), start)])
        self._batches, self._power, self.settles = batches, power, settles

    @property
    def signature(self):
        import tensorflow as tf

        return (tf.TensorSpec([None, 1], tf.float32),)

    def batches(self, epoch, epochs, random):
        values = self._batches(epoch)
        return len(values), (((np.array([[value]], np.float32)),) for value in values)

    def held_out(self):
        yield (np.array([[1.0]], np.float32),)

    def settled(self, epoch, epochs):
        return epoch >= self.settles

    def loss(self, batch, *, training):
        import tensorflow as tf

        (x,) = batch
        product = x * self.model.trainable_variables[0]
        return {"loss": tf.reduce_mean(product**self._power), "weight": 1.0, "half": tf.reduce_mean(x) / 2}


def run(objective, **options):
    return TrainingLoop(objective, 4, TrainOptions(patience=9, **options), 0, lambda: 0.0, None).run()


@pytest.mark.keras
def test_the_loop_takes_any_loss_and_records_its_parts():
    result = run(Powers(lambda epoch: [0.5, 1.5]), clipping=Clipping(clipvalue=1.0))
    assert [record.measures for record in result.epochs] == [{"half": 0.5}] * 4
    for record in result.epochs:
        assert (record.gradient_norm.median, record.gradient_norm.max) == (1.0, 1.5)
        assert (record.clipped_norm.max, record.clipped_steps, record.steps) == (1.0, 1, 2)
    assert result.best_epoch == 4  # the weight falls with every step


@pytest.mark.keras
@pytest.mark.parametrize(("settles", "epochs"), [(1, 3), (3, 4)])
def test_epochs_under_a_schedule_do_not_count_as_without_improvement(settles, epochs):
    objective = Powers(lambda epoch: [0.0], settles=settles)
    options = TrainOptions(patience=2)
    result = TrainingLoop(objective, 9, options, 0, lambda: 0.0, None).run()
    assert (result.stopped, len(result.epochs), result.val_loss) == ("no_improvement", epochs, 1.0)


@pytest.mark.keras
def test_a_gradient_that_is_no_number_ends_training_with_the_best_weights():
    # The root of 0: its value is a number, and its slope is none.
    objective = Powers(lambda epoch: [1.0, 1.0] if epoch < 3 else [1.0, 0.0], start=5.0, power=0.5)
    weights = []
    result = TrainingLoop(
        objective, 9, TrainOptions(), 0, lambda: 0.0,
        lambda *_: weights.append(objective.model.get_weights()[0].item()),
    ).run()  # fmt: skip
    assert (result.stopped, result.best_epoch, len(result.epochs)) == ("not_finite", 2, 2)
    assert result.message == (
        "the gradient of layer 'only' became infinite or no number in step 2 of epoch 3;"
        " the weights of epoch 2 were kept"
    )
    assert objective.model.get_weights()[0].item() == weights[3]


@pytest.mark.keras
def test_a_learning_rate_that_is_far_too_high_ends_training_and_is_said():
    with pytest.raises(TrainingError, match=r"the held-out loss became infinite .* after epoch 1; lower learning_rate"):
        run(Powers(lambda epoch: [1.0], power=9), learning_rate=1e30)


def summary(norm, peak=None):
    return NormSummary(norm, norm, norm, peak or norm)


def epoch(number, norm=1.0, peak=None, clipped=0, encoder=1.0, decoder=1.0):
    layers = (
        LayerNorms("encoder", True, summary(encoder), summary(encoder)),
        LayerNorms("decoder", True, summary(decoder), summary(decoder)),
        LayerNorms("reconstruction", False, summary(1.0), summary(1.0)),
    )
    whole = summary(norm, peak)
    return EpochRecord(number, 1.0, 1.0, 1e-3, whole, whole, layers, clipped, 10, 1.0)


def kinds(*epochs):
    return [finding.kind for finding in diagnose(epochs)]


def test_healthy_gradients_have_no_findings():
    assert kinds() == []
    assert kinds(epoch(1, 9.0, 5000.0, clipped=10), epoch(2, 0.5, 3.0), epoch(3, 0.1, clipped=5)) == []


def test_a_memory_far_shorter_than_the_window_is_found():
    short, long = (Horizon(decay ** np.arange(64.0)) for decay in (0.5, 0.9))
    (finding,) = diagnose([epoch(1)], short, 64)
    assert finding.kind == "short_memory"
    assert finding.message == "what the model says of a sample depends on the 4 before it, out of 64 that it sees"
    assert diagnose([epoch(1)], long, 64) == diagnose([epoch(1)], short) == diagnose([], short, 64) == ()
    linear = dataclasses.replace(epoch(1), layers=epoch(1).layers[2:])
    assert diagnose([linear], short, 64) == ()


def test_exploding_gradients_are_found_with_a_remedy():
    (finding,) = diagnose([epoch(1, 2.0), epoch(2, 0.5), epoch(3, 51.0)])
    assert finding.kind == "exploding"
    assert finding.message == "the median gradient norm grew from 0.5 in epoch 2 to 51 in epoch 3"
    assert "--global-clipnorm" in finding.remedy
    assert kinds(epoch(1, 2.0), epoch(2, 0.5), epoch(3, 49.0)) == []
    assert kinds(epoch(1), epoch(2, 1.0, peak=1001.0)) == ["exploding"]


def test_a_bound_that_holds_most_steps_is_found():
    (finding,) = diagnose([epoch(1), epoch(2), epoch(3, clipped=5), epoch(4, clipped=6)])
    assert finding.message.startswith("55% of the steps were clipped from epoch 3 on")


def test_vanishing_gradients_are_found_only_if_they_stay_so():
    tiny = {"encoder": 0.9e-3}
    (finding,) = diagnose([epoch(1), epoch(2, **tiny), epoch(3, **tiny)])
    assert finding.message.startswith("the gradient norm of encoder is 0.0009, that of decoder 1")
    assert "gru or lstm" in finding.remedy
    assert kinds(epoch(1, **tiny), epoch(2, **tiny), epoch(3)) == []
    single = dataclasses.replace(epoch(1), layers=epoch(1, **tiny).layers[:1])
    assert kinds(single) == []
