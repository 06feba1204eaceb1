"""Gates and states of every architecture, against what Keras's own layers give out."""

from __future__ import annotations

import numpy as np
import pytest

from models.architectures import ARCHITECTURES
from models.errors import ModelsError
from models.inspection import Inspector, joined
from models.inspection.cells import Cell, cell_kind
from models.outputs import NEXT_PREFIX, STATE_PREFIX
from models.spec import ModelSpec

pytestmark = pytest.mark.keras
WINDOW, CHANNELS, UNITS = 5, ("a", "b", "c"), 5
TOLERANCE = 1e-5
"""Sums in float64 here, in float32 there."""


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def built(architecture):
    """With weights that are not near the initial ones, biases included."""
    spec = ModelSpec(channels=CHANNELS, architecture=architecture, window=WINDOW, units=UNITS, latent=3)
    model = ARCHITECTURES[architecture].build(spec)
    random = np.random.default_rng(2)
    model.set_weights([weight + random.normal(scale=0.3, size=weight.shape) for weight in model.get_weights()])
    return model


def keras_states(layer, inputs, initial):
    """[steps, units] of each state, from Keras: the layer again, over ever longer beginnings of its input."""
    config = {**layer.get_config(), "return_state": True, "return_sequences": False, "go_backwards": False}
    again = type(layer).from_config(config)
    states = [np.asarray(state, np.float32) for state in initial] or None
    again(inputs[:, :1], initial_state=states)
    again.set_weights(layer.get_weights())
    found = [again(inputs[:, :steps], initial_state=states)[1:] for steps in range(1, inputs.shape[1] + 1)]
    return [np.concatenate([np.asarray(step[number]) for step in found]) for number in range(len(found[0]))]


def tensors_of(model, layer, window):
    """What goes into a layer, from Keras."""
    import keras

    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    probe = keras.Model(model.inputs, [keras.layers.Identity()(tensor) for tensor in inputs])
    values = probe([window[None]])
    return [np.asarray(value) for value in (values if isinstance(values, list | tuple) else [values])]


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_states_equal_those_that_keras_gives_out(architecture):
    model = built(architecture)
    (states_of_a_window, states_that_are_carried)[len(model.inputs) > 1](architecture, model)


def states_of_a_window(architecture, model):
    window = noise(WINDOW, len(CHANNELS))
    inspection = Inspector(model, architecture).window(window)
    traces = {trace.layer: trace for trace in inspection.layers}
    checked = set()
    for layer in model.layers:
        directions = {layer.name: (layer, layer)}
        if type(layer).__name__ == "Bidirectional":
            directions = {
                f"{layer.name}/forward": (layer.forward_layer, layer),
                f"{layer.name}/backward": (layer.backward_layer, layer),
            }
        elif cell_kind(layer) is None:
            continue
        for name, (each, owner) in directions.items():
            inputs, *initial = tensors_of(model, owner, window)
            backward = name.endswith("/backward")
            expected = keras_states(each, inputs[:, ::-1] if backward else inputs, initial)
            trace = traces[name]
            written_backwards = (architecture, name) == ("seq2seq", "decoder")
            assert trace.direction == ("backward" if backward or written_backwards else "forward")
            for state, values in zip(trace.states, expected, strict=True):
                found = trace.states[state][: len(values)]
                assert np.isnan(trace.states[state][len(values) :]).all()
                if trace.direction == "backward":
                    found = found[::-1]
                np.testing.assert_allclose(found, values, atol=TOLERANCE)
            checked.add(name)
    assert checked == traces.keys()
    outputs = model(window[None])
    expected = outputs["reconstruction"] if isinstance(outputs, dict) else outputs
    np.testing.assert_allclose(inspection.outputs["reconstruction"], np.asarray(expected)[0], atol=TOLERANCE)


def states_that_are_carried(architecture, model):
    windows = noise(6, WINDOW, len(CHANNELS))
    names = [tensor.name.removeprefix(STATE_PREFIX) for tensor in model.inputs[1:]]
    states = {name: noise(UNITS) * 0.3 for name in names}
    inspector = Inspector(model, architecture)
    inspection = inspector.carried(windows, states)
    assert inspector.carries == tuple(names)
    (trace,) = inspection.layers
    assert trace.states.keys() == set(names)
    memory = {name: state[None] for name, state in states.items()}
    for sample, window in enumerate(windows):
        outputs = model([window[None], *(memory[name] for name in names)])
        memory = {name: np.asarray(outputs[NEXT_PREFIX + name]) for name in names}
        for name in names:
            np.testing.assert_allclose(trace.states[name][sample], memory[name][0], atol=TOLERANCE)
    for name in inspection.outputs:
        np.testing.assert_allclose(inspection.outputs[name], np.asarray(outputs[name])[0], atol=TOLERANCE)
    for name in names:
        np.testing.assert_allclose(inspection.memory[name], memory[name][0], atol=TOLERANCE)
    first = inspector.carried(windows[:2], states)
    in_pieces = joined([first, inspector.carried(windows[2:], first.memory)])
    np.testing.assert_array_equal(in_pieces.layers[0].states["hidden"], trace.states["hidden"])
    fresh = inspector.carried(windows)
    assert np.abs(fresh.layers[0].states["hidden"][0] - trace.states["hidden"][0]).max() > TOLERANCE


@pytest.mark.parametrize(
    ("name", "options"),
    [("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("GRU", {"use_bias": False}), ("SimpleRNN", {})],
)
def test_each_cell_follows_keras_from_a_given_state_on(name, options):
    import keras

    layer = getattr(keras.layers, name)(UNITS, return_sequences=True, return_state=True, **options)
    inputs = noise(1, 40, 3)
    count = 2 if name == "LSTM" else 1
    initial = [noise(1, UNITS) for _ in range(count)]
    layer(inputs, initial_state=initial)
    random = np.random.default_rng(3)
    layer.set_weights([weight + random.normal(scale=0.3, size=weight.shape) for weight in layer.get_weights()])
    sequence, *last = layer(inputs, initial_state=initial)
    trace = Cell(layer).run(inputs[0].astype(float), [state[0].astype(float) for state in initial])
    np.testing.assert_allclose(trace.states["hidden"], np.asarray(sequence)[0], atol=TOLERANCE)
    for state, expected in zip(trace.states.values(), last, strict=True):
        np.testing.assert_allclose(state[-1], np.asarray(expected)[0], atol=TOLERANCE)


def test_gates_say_what_they_do():
    """An LSTM whose biases shut it: it forgets nothing, lets nothing in, and tells all that it holds."""
    import keras

    layer = keras.layers.LSTM(1)
    layer(noise(1, 3, 2))
    shut = np.array([-20.0, 20.0, 0.0, 20.0])
    layer.set_weights([np.zeros((2, 4)), np.zeros((1, 4)), shut])
    trace = Cell(layer).run(np.ones((3, 2)), [np.array([0.0]), np.array([0.5])])
    assert trace.gates["input"].max() < 1e-8
    assert trace.gates["forget"].min() > 1 - 1e-8
    assert trace.states["cell"].ravel() == pytest.approx([0.5] * 3)
    assert trace.states["hidden"].ravel() == pytest.approx([np.tanh(0.5)] * 3)


def test_an_activation_that_is_not_known_is_refused():
    import keras

    layer = keras.layers.SimpleRNN(2, activation="elu", name="odd")
    layer.build((None, None, 3))
    with pytest.raises(ModelsError, match="the activation of odd is elu, which is not known here"):
        Cell(layer)
    with pytest.raises(ModelsError, match="flat is a Flatten, which has no gates"):
        Cell(keras.layers.Flatten(name="flat"))
