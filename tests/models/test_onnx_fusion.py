"""Recurrent loops of the exporter: replaced where a layer of the model is behind them, left for the check otherwise."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from models.backend import load_keras
from models.errors import BundleError
from models.formats.exporting import export_onnx
from models.formats.onnx_graph import check_onnx_file

pytestmark = pytest.mark.keras


def model_of(kind, count, **options):
    """A model of so many recurrent layers of one kind."""
    keras = load_keras()
    inputs = outputs = keras.Input((5, 2), name="windows")
    for number in range(count):
        layer = getattr(keras.layers, kind)
        outputs = layer(3, return_sequences=number < count - 1, **options)(outputs)
    return keras.Model(inputs, outputs)


def kinds(data):
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


def disturb(model):
    """Biases are zero at first, and would hide an error in them."""
    random = np.random.default_rng(0)
    model.set_weights([array + random.normal(scale=0.3, size=array.shape) for array in model.get_weights()])


@pytest.mark.parametrize(("kind", "operator", "count"), [("GRU", "GRU", 2), ("SimpleRNN", "Tanh", 10)])
def test_layers_are_told_apart_by_their_weights(kind, operator, count):
    model = model_of(kind, 2)
    disturb(model)
    data = export_onnx(model)
    check_onnx_file(data, "x")
    assert kinds(data).count(operator) == count
    assert "Loop" not in kinds(data)
    windows = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(data).run(None, {"windows": windows})
    assert found == pytest.approx(np.asarray(model(windows)), abs=1e-6)


@pytest.mark.parametrize(("kind", "options"), [("SimpleRNN", {"activation": "relu"}), ("GRU", {"reset_after": False})])
def test_a_layer_that_is_not_known_stays_a_loop_which_is_refused(kind, options):
    data = export_onnx(model_of(kind, 1, **options))
    assert "Loop" in kinds(data)
    with pytest.raises(BundleError, match=r"it uses the operator '(Loop|And)'"):
        check_onnx_file(data, "x")
