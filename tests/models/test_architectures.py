"""What holds of every architecture: it trains, and its bundle says and computes what the Keras model does."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import onnx
import pytest

from models.architectures import ARCHITECTURES, build, names
from models.bundle import RUNTIMES, open_runtime
from models.bundle.layout import MANIFEST, ONNX
from models.errors import SpecError
from models.fitting.windows import WindowBank, lay_windows
from models.golden import TOLERANCE
from models.outputs import PENALTY, RECONSTRUCTION
from models.segments import cut
from models.spec import ModelSpec
from tests.models.conftest import Member

pytestmark = pytest.mark.keras
WINDOW_MODELS = [name for name, architecture in ARCHITECTURES.items() if architecture.memory == "window"]


@pytest.fixture(params=WINDOW_MODELS)
def one(request, member):
    return member(request.param)


@pytest.fixture(params=names())
def any_one(request):
    if request.param == "streaming":
        return Member(request.getfixturevalue("streaming_path"))
    return request.getfixturevalue("member")(request.param)


def test_it_is_trained_and_its_history_says_how(any_one):
    history = any_one.bundle.history()
    epochs = history["epochs"]
    assert math.isfinite(history["loss"])
    assert math.isfinite(history["val_loss"])
    assert history["parameters"] == any_one.model.count_params()
    if history["stopped"] == "closed_form":
        assert (epochs, history["best_epoch"]) == ([], 0)
    else:
        assert history["val_loss"] == min(record["val_loss"] for record in epochs)
        assert all(record["loss"] < epochs[0]["loss"] for record in epochs[1:])


def test_held_out_loss_is_that_of_the_model_as_it_is_served(one, tiny_data):
    """A decoder that was fed the truth, or a code that was sampled, would have another one."""
    spec = one.bundle.spec
    laid = {
        name: lay_windows(cut(times_ns, values, spec.period_ns, 5), spec.window, 0.2, 0.5)
        for name, (times_ns, values) in tiny_data.items()
    }
    bank = WindowBank(laid, one.bundle.scaler, spec.window)
    held_out, _ = bank.draw(np.concatenate(list(bank.held_out.values())))
    found = one.outputs(held_out)
    expected = float(np.square(found[RECONSTRUCTION] - held_out).mean())
    if PENALTY in found:
        expected *= 1 + 2 * float(found[PENALTY].mean()) / (spec.window * len(spec.channels))
    assert one.bundle.history()["val_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_bundle_says_all_options_that_it_was_trained_with(any_one):
    written = json.loads((any_one.bundle.path / MANIFEST).read_text())["spec"]["options"]
    architecture = ARCHITECTURES[any_one.bundle.spec.architecture]
    assert list(written) == [option.name for option in architecture.options]
    assert written == any_one.bundle.spec.options
    if architecture.memory == "window":  # trained with the defaults
        assert written == {option.name: option.default for option in architecture.options}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtimes_give_what_keras_gives_and_the_same_bits_in_any_batch(one, runtime):
    run = open_runtime(one.bundle, runtime)
    inputs = np.random.default_rng(0).normal(scale=3, size=(150, 16, 3)).astype(np.float32)
    expected = one.outputs(inputs)
    whole = run(inputs)
    assert np.abs(whole.reconstruction - expected[RECONSTRUCTION]).max() <= TOLERANCE
    assert (whole.penalty is None) == (PENALTY not in expected)
    if whole.penalty is not None:
        assert whole.penalty == pytest.approx(expected[PENALTY], abs=TOLERANCE)

    order = np.random.default_rng(1).permutation(150)
    parts = [run(part) for part in np.split(inputs[order], [1, 2, 9, 17, 73, 74])]
    together = np.concatenate([part.reconstruction for part in parts])
    assert together.tobytes() == whole.reconstruction[order].tobytes()
    if whole.penalty is not None:
        assert np.concatenate([part.penalty for part in parts]).tobytes() == whole.penalty[order].tobytes()


def test_the_graph_has_no_loop_and_takes_any_batch(any_one):
    graph = onnx.load_from_string(any_one.bundle.read(ONNX)).graph
    spec = any_one.bundle.spec
    kinds = [node.op_type for node in graph.node]
    assert not {"Loop", "Scan", "If"} & set(kinds)
    assert graph.input[0].name == "windows"
    batch, *shape = (dimension.dim_value for dimension in graph.input[0].type.tensor_type.shape.dim)
    assert (batch, shape) == (0, [spec.window, len(spec.channels)])
    if spec.architecture != "simple_rnn":  # which is unrolled
        assert len(kinds) < 70


@pytest.mark.parametrize("name", [name for name in names() if name not in ("pca", "autoregression")])
def test_initial_weights_depend_on_the_seed_alone(tiny_spec, name):
    spec = dataclasses.replace(tiny_spec, architecture=name, window=4, units=4, latent=2)
    first, again, other = (
        [array.tobytes() for array in build(dataclasses.replace(spec, seed=seed)).get_weights()] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(("name", "values"), [("pca", 4096), ("autoregression", 4096), ("streaming", 16384)])
def test_a_window_that_is_too_large_to_be_one_vector_is_refused(name, values):
    channels = tuple(map(str, range(50)))
    most = values // 50
    with pytest.raises(
        SpecError,
        match=rf"{name} takes at most {values:,} values in a window, and {most + 1} samples of 50 channels are"
        rf" {50 * most + 50:,}; choose a shorter window \({most} at most\), or fewer channels",
    ):
        ModelSpec(channels=channels, architecture=name, window=most + 1)
    ModelSpec(channels=channels, architecture=name, window=most)
