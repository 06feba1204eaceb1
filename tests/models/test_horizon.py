"""Memory horizons of models whose memory is known because their weights were chosen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.horizon import Horizon, measure, measure_model, spread_sequences

pytestmark = pytest.mark.keras


def leaky(decay, steps, channels=1):
    """A linear recurrent layer that keeps ``decay`` of its state: its gradient by an input is decay ** lag."""
    import keras

    inputs = keras.Input((steps, channels), name="windows")
    layer = keras.layers.SimpleRNN(channels, activation="linear", return_sequences=True, name="memory")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.eye(channels), decay * np.eye(channels), np.zeros(channels)])
    return model


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("decay", "steps"), [(0.5, 20), (0.9, 60), (0.97, 200)])
def test_a_leaky_memory_decays_exactly_as_its_weight_says(decay, steps):
    found = measure_model(leaky(decay, steps), noise(3, steps, 1))
    assert found.keys() == {"reconstruction"}
    horizon = found["reconstruction"]
    np.testing.assert_allclose(horizon.norms, decay ** np.arange(steps), rtol=1e-4)
    assert horizon.half_life == pytest.approx(math.log(0.5) / math.log(decay), rel=1e-4)
    assert horizon.reach_5_percent == pytest.approx(math.log(0.05) / math.log(decay), rel=1e-4)


def test_the_norm_is_that_of_the_whole_jacobian():
    # Of n identical channels the Jacobian is a**lag times the identity, whose norm is the root of n.
    few = measure_model(leaky(0.8, 10, 4), noise(2, 10, 4))["reconstruction"]
    np.testing.assert_allclose(few.norms, 2 * 0.8 ** np.arange(10), rtol=1e-4)
    # More than are measured one by one: signs square to 1, so that here the estimate is exact as well.
    many = measure_model(leaky(0.8, 10, 36), noise(2, 10, 36))["reconstruction"]
    np.testing.assert_allclose(many.norms, 6 * 0.8 ** np.arange(10), rtol=1e-4)


def test_an_input_that_is_copied_from_afar_is_found_at_its_lag():
    horizon = measure(lambda inputs: 3.0 * inputs[:, -6], noise(2, 12, 2), 2)
    assert horizon.norms.tolist() == pytest.approx([0] * 5 + [3 * math.sqrt(2)] + [0] * 6)
    assert (horizon.half_life, horizon.reach_5_percent) == (6.0, 6.0)


def test_squares_are_averaged_over_the_sequences():
    horizon = measure(lambda inputs: inputs[:, 0] ** 2, np.array([[[1.0]], [[7.0]]], np.float32), 1)
    assert horizon.norms.tolist() == pytest.approx([math.sqrt((2**2 + 14**2) / 2)])


def test_what_reaches_beyond_the_sequences_is_not_made_up():
    horizon = measure_model(leaky(0.9, 10), noise(1, 10, 1))["reconstruction"]
    assert horizon.half_life == pytest.approx(6.58, abs=0.01)
    assert horizon.reach_5_percent is None
    assert Horizon(np.zeros(3)).half_life is None


def test_a_carried_memory_is_followed_over_hundreds_of_steps():
    import keras

    window = 3
    windows, state = keras.Input((window, 1), name="windows"), keras.Input((1,), name="state_level")
    last = keras.layers.Reshape((1,))(keras.layers.Cropping1D((window - 1, 0))(windows))
    keep = keras.layers.Dense(1, use_bias=False)
    level = keras.layers.Add(name="next_level")([last, keep(state)])
    model = keras.Model(
        [windows, state],
        {
            "reconstruction": keras.layers.Identity()(windows),
            "prediction": keras.layers.Reshape((1, 1))(level),
            "next_level": level,
        },
    )
    keep.set_weights([np.array([[0.99]])])
    found = measure_model(model, noise(2, 500, 1))
    np.testing.assert_allclose(found["prediction"].norms, 0.99 ** np.arange(500), rtol=1e-3)
    assert found["prediction"].half_life == pytest.approx(math.log(0.5) / math.log(0.99), rel=1e-3)
    assert found["reconstruction"].half_life == 1.0  # the last row of the window is the last input


def test_json_gives_an_equal_horizon_back():
    horizon = Horizon(0.5 ** np.arange(9.0))
    again = Horizon.from_dict(horizon.to_dict())
    assert again.norms.tolist() == pytest.approx(horizon.norms.tolist(), rel=1e-5)
    assert horizon.to_dict()["half_life"] == pytest.approx(1.0)


def test_sequences_are_spread_over_all_stretches():
    bounds = ((0, 4), (10, 12), (20, 26))
    stretches = [np.arange(*bound, dtype=np.float32)[:, None] for bound in bounds]
    found = spread_sequences(stretches, 4, 3)
    assert found[:, :, 0].tolist() == [[0, 1, 2, 3], [20, 21, 22, 23], [22, 23, 24, 25]]
    assert spread_sequences(stretches, 99, 5).shape == (1, 6, 1)
