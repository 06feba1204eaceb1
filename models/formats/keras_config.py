"""What the configuration of a Keras model may name: the classes of this product's architectures and nothing else.

Keras makes an object of every ``{"module", "class_name", "config"}`` that it finds, at any depth. Its safe mode refuses
lambdas, but has been got around before through classes and functions that it trusts (CVE-2025-1550, CVE-2025-8747,
CVE-2025-9905). A list of what is allowed does not depend on what else Keras can be talked into.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from models.architectures.limits import MAX_DENSE_UNITS
from models.formats.refusal import refused
from models.spec import MAX_CHANNELS, MAX_UNITS, MAX_WINDOW

_LAYERS: Final = (
    *("InputLayer", "Dense", "Dropout", "LSTM", "GRU", "SimpleRNN", "RepeatVector", "TimeDistributed"),
    *("Activation", "Add", "Bidirectional", "Concatenate", "Conv1D", "Conv1DTranspose", "Cropping1D", "Flatten"),
    *("GaussianNoise", "BatchNormalization", "LayerNormalization", "Multiply", "Permute", "Reshape", "UpSampling1D"),
    *("ZeroPadding1D", "MaxPooling1D", "AveragePooling1D", "GlobalAveragePooling1D", "MultiHeadAttention"),
    *("LSTMCell", "GRUCell", "SimpleRNNCell", "RNN", "Subtract"),
)
_INITIALIZERS: Final = (
    *("Zeros", "Ones", "Constant", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform"),
    *("LecunNormal", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
)
ALLOWED: Final = frozenset(
    {
        ("keras", "Functional"),
        ("keras.src.models.functional", "Functional"),
        ("keras", "Sequential"),
        ("keras", "DTypePolicy"),
        *(("keras.layers", name) for name in _LAYERS),
        *(("keras.initializers", name) for name in _INITIALIZERS),
        *(("keras.regularizers", name) for name in ("L1", "L2", "L1L2")),
        # An operation, not a layer: it reverses the order of a tensor along an axis and knows nothing else.
        ("keras.src.ops.numpy", "Flip"),
    }
)
"""Module and name of every class that a configuration may have made."""

_ACTIVATIONS: Final = frozenset(
    {"linear", "tanh", "sigmoid", "relu", "elu", "selu", "gelu", "silu", "swish", "softplus", "softsign", "softmax",
     "hard_sigmoid", "leaky_relu", "exponential"}
)  # fmt: skip
# Where a text stands for an object that Keras looks up by name.
_LOOKED_UP: Final = ("activation", "_initializer", "_regularizer", "_constraint")
_SIZES: Final = {
    "units": MAX_DENSE_UNITS,  # of other layers fewer, see below
    "filters": MAX_UNITS,
    "n": MAX_WINDOW,
    "num_heads": MAX_UNITS,
    "key_dim": MAX_UNITS,
}
_SHAPES: Final = ("batch_shape", "input_shape", "shape", "target_shape")
_LARGEST_AXIS: Final = max(MAX_WINDOW, MAX_CHANNELS, MAX_UNITS) * 4
_MAX_DEPTH: Final = 40
_MAX_VALUES: Final = 200_000


def check_config(config: object, where: object) -> None:
    """Check a model's configuration as plain data, before anything is made from it.

    Args:
        config: From ``config.json``.
        where: The file, for messages.

    Raises:
        BundleError: it names a class, a function or a size that no architecture here has.
    """
    if not isinstance(config, dict) or config.get("class_name") not in ("Functional", "Sequential"):
        raise refused(where, "its configuration is not that of a Keras model")
    if config.get("compile_config"):
        raise refused(where, "its configuration tells how to compile the model")
    for count, value in enumerate(_objects(config, where)):
        if count > _MAX_VALUES:
            raise refused(where, f"its configuration has more than {_MAX_VALUES:,} parts")
        _check_class(value, where)
        _check_fields(value, where)


def _objects(root: object, where: object) -> Iterator[dict[str, Any]]:
    """Every object in it, with those inside of lists, without recursion."""
    waiting: list[tuple[object, int]] = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise refused(where, f"its configuration is nested more than {_MAX_DEPTH} deep")
        if isinstance(value, dict):
            yield value
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]


def _check_class(value: dict[str, Any], where: object) -> None:
    if not value.keys() & {"class_name", "module", "registered_name"}:
        return
    name, module, registered = value.get("class_name"), value.get("module"), value.get("registered_name")
    if name == "__keras_tensor__" and module is None and registered is None:
        return
    if not isinstance(name, str) or not isinstance(module, str) or (module, name) not in ALLOWED:
        raise refused(where, f"its configuration names {str(name)[:60]!r} of {str(module)[:60]!r}")
    config = value.get("config")
    units = config.get("units") if isinstance(config, dict) else None
    if name != "Dense" and isinstance(units, int) and units > MAX_UNITS:
        raise refused(where, f"its configuration has units {str(units)[:20]}, beyond {MAX_UNITS:,}")
    if registered not in (None, name):
        raise refused(where, f"its configuration names the custom object {str(registered)[:60]!r}")


def _check_fields(value: dict[str, Any], where: object) -> None:
    for key, item in value.items():
        if key.endswith(_LOOKED_UP) and isinstance(item, str) and item not in _ACTIVATIONS:
            raise refused(where, f"its configuration has {key} {item[:60]!r}")
        if key in _SIZES and not (type(item) is int and 0 < item <= _SIZES[key]):
            raise refused(where, f"its configuration has {key} {str(item)[:20]}, beyond {_SIZES[key]:,}")
        if key in _SHAPES and not _is_shape(item):
            raise refused(where, f"its configuration has a {key} that is none, or an axis beyond {_LARGEST_AXIS:,}")


def _is_shape(item: object) -> bool:
    # A layer with several inputs has a list, or an object, of shapes.
    if item is None or (type(item) is int and -1 <= item <= _LARGEST_AXIS):
        return True
    parts = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
    return parts is not None and all(_is_shape(part) for part in parts)
