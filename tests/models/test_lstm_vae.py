"""The variational autoencoder: samples in training only, the divergence in nats, and the weight that it has."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from models.architectures import lstm_vae
from models.backend import load_tensorflow
from models.fitting.variational import VariationalObjective
from models.outputs import PENALTY, RECONSTRUCTION
from models.spec import ModelSpec
from models.training import TrainOptions

pytestmark = pytest.mark.keras


def windows(count=20, window=16):
    return np.random.default_rng(0).normal(size=(count, window, 3)).astype(np.float32)


def objective_of(model, **options):
    spec = ModelSpec(channels=("x", "y", "z"), architecture="lstm_vae", window=16, units=8, latent=4, options=options)
    encoder, decoder = (None, None) if model is None else lstm_vae.parts(model)
    task = SimpleNamespace(spec=spec, bank=Bank(), held_out=np.arange(20), options=TrainOptions(batch_windows=10))
    return VariationalObjective(model, encoder, decoder, task)


class Bank:
    """Twenty windows, all observed."""

    train = np.arange(20)

    def draw(self, starts):
        return windows()[starts], np.ones((len(starts), 16, 3), bool)


@pytest.fixture(scope="module")
def model(member):
    return member("lstm_vae").model


def code_of(model, inputs):
    encoder, _ = lstm_vae.parts(model)
    return (np.asarray(tensor, np.float64) for tensor in encoder(inputs))


def test_the_penalty_is_the_divergence_of_the_code_from_the_prior_in_nats(model):
    mean, log_variance = code_of(model, windows())
    expected = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    found = np.asarray(model(windows())[PENALTY])
    assert found.shape == (20,)
    assert found == pytest.approx(expected, abs=1e-5)
    assert (found > 0).all()


def test_a_code_that_is_the_prior_costs_nothing(tiny_spec):
    model = lstm_vae.build(dataclasses.replace(tiny_spec, architecture="lstm_vae"))
    for name in (lstm_vae.MEAN, lstm_vae.LOG_VARIANCE):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros_like(array) for array in layer.get_weights()])
    assert np.asarray(model(windows())[PENALTY]) == pytest.approx(np.zeros(20), abs=1e-6)


def test_what_adds_up_the_divergence_was_not_trained(model):
    kernel, bias = model.get_layer("divergence").get_weights()
    assert (kernel == 0.5).all()
    assert (bias == -2.0).all()


def test_what_is_served_is_deterministic_and_decodes_the_mean(model):
    mean, _ = code_of(model, windows())
    _, decoder = lstm_vae.parts(model)
    first, again = (np.asarray(model(windows(), training=False)[RECONSTRUCTION]) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first == pytest.approx(np.asarray(decoder(mean.astype(np.float32))), abs=1e-6)


class TestLoss:
    def loss(self, model, noise, weight=1.0):
        objective = objective_of(model)
        observed = np.ones((20, 16, 3), bool)
        observed[:, :, 2] = False
        found = objective.loss((windows(), observed, noise, np.float32(weight)), training=True)
        return observed, {name: float(value) for name, value in found.items()}

    def test_its_parts_are_those_of_the_evidence_lower_bound(self, model):
        observed, found = self.loss(model, np.zeros((20, 4), np.float32), weight=0.5)
        outputs = {name: np.asarray(tensor, np.float64) for name, tensor in model(windows()).items()}
        square = np.square(outputs[RECONSTRUCTION] - windows())[observed].mean()
        assert found["weight"] == observed.sum()
        assert found["mean_square"] == pytest.approx(square, rel=1e-5)
        assert found["kl_nats"] == pytest.approx(outputs[PENALTY].mean(), rel=1e-4)
        divergence = outputs[PENALTY].sum() / observed.sum()
        assert found["loss"] == pytest.approx(square + 0.5 * 2 * square * divergence, rel=1e-5)

    def test_its_gradient_is_that_of_the_bound_with_the_best_noise_variance(self, model):
        """Up to the factor 2 * mse / values, which is the same for every weight."""
        tf = load_tensorflow()
        noise = np.random.default_rng(3).standard_normal((20, 4), np.float32)
        variables = model.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            parts = objective_of(model).loss(
                (windows(), np.ones((20, 16, 3), bool), noise, np.float32(1)), training=True
            )
            # Gaussian likelihood whose variance is the mean square: its logarithm is all that is left (Rybkin et al.).
            bound = 0.5 * 960 * tf.math.log(parts["mean_square"]) + 20 * parts["kl_nats"]
        factor = 2 * float(parts["mean_square"]) / 960
        gradients = [tape.gradient(target, variables) for target in (parts["loss"], bound)]
        for found, wanted in zip(*gradients, strict=True):
            assert np.asarray(found) == pytest.approx(factor * np.asarray(wanted), abs=2e-6)

    def test_the_code_is_sampled_in_training(self, model):
        zero = np.zeros((20, 4), np.float32)
        _, mean = self.loss(model, zero)
        _, sampled = self.loss(model, zero + 3)
        assert sampled["mean_square"] > mean["mean_square"]
        assert sampled["kl_nats"] == mean["kl_nats"]

    def test_noise_comes_from_the_seed_and_held_out_windows_have_none(self):
        objective = objective_of(None)
        first, again, other = (
            np.concatenate([noise for _, _, noise, _ in objective.batches(1, 4, np.random.default_rng(seed))[1]])
            for seed in (0, 0, 1)
        )
        assert first.shape == (20, 4)
        assert first.std() == pytest.approx(1, abs=0.25)
        assert first.tobytes() == again.tobytes() != other.tobytes()
        held_out = list(objective_of(None, beta=3.0).held_out())
        assert all(not noise.any() and weight == 3.0 for _, _, noise, weight in held_out)


class TestAnnealing:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]),
            ({"annealing_share": 1.0, "beta": 4.0}, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]),
            ({"annealing": "none", "beta": 0.5}, [0.5] * 8),
            ({"annealing": "cyclical"}, [0, 1] * 4),
        ],
    )
    def test_the_weight_rises(self, options, expected):
        objective = objective_of(None, **options)
        assert [objective.weight(epoch, 8) for epoch in range(1, 9)] == expected

    def test_training_does_not_stop_early_while_it_rises(self):
        settled = {
            kind: [objective_of(None, annealing=kind).settled(epoch, 8) for epoch in range(1, 9)]
            for kind in ("none", "linear", "cyclical")
        }
        assert settled["none"] == [True] * 8
        assert settled["linear"] == [False] * 4 + [True] * 4
        assert settled["cyclical"] == [False] * 7 + [True]

    def test_the_history_tells_the_weight_and_the_divergence(self, member):
        epochs = member("lstm_vae").bundle.history()["epochs"]
        assert [epoch["measures"]["kl_weight"] for epoch in epochs] == [0, 1]
        assert all(epoch["measures"]["kl_nats"] > 0 for epoch in epochs)
        first = epochs[0]
        assert first["loss"] == pytest.approx(first["measures"]["mean_square"], rel=1e-6)
