"""Looking into an ONNX file before ONNX Runtime does.

The base installation brings protobuf, as ONNX Runtime needs it, but not the package ``onnx``. The messages of
onnx.proto are therefore declared here, as far as they matter: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from models.formats.refusal import refused

_TEXT: Final = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_INT32: Final = descriptor_pb2.FieldDescriptorProto.TYPE_INT32
_MESSAGE: Final = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
# Message -> field -> number, repeated, and type or message.
_MESSAGES: Final[dict[str, dict[str, tuple[int, bool, int | str]]]] = {
    "Model": {
        "graph": (7, False, "Graph"),
        "opset_import": (8, True, "Opset"),
        "training_info": (20, True, "Empty"),
        "functions": (25, True, "Empty"),
    },
    "Opset": {"domain": (1, False, _TEXT)},
    "Graph": {
        "node": (1, True, "Node"),
        "initializer": (5, True, "Tensor"),
        "sparse_initializer": (15, True, "Empty"),
    },
    "Node": {
        "op_type": (4, False, _TEXT),
        "attribute": (5, True, "Attribute"),
        "domain": (7, False, _TEXT),
    },
    "Attribute": {
        "t": (5, False, "Tensor"),
        "g": (6, False, "Empty"),
        "tensors": (10, True, "Tensor"),
        "graphs": (11, True, "Empty"),
        "sparse_tensor": (22, False, "Empty"),
        "sparse_tensors": (23, True, "Empty"),
    },
    "Tensor": {
        "external_data": (13, True, "Entry"),
        "data_location": (14, False, _INT32),
    },
    "Entry": {"key": (1, False, _TEXT), "value": (2, False, _TEXT)},
    "Empty": {},
}
_STANDARD: Final = ("", "ai.onnx")
# tf2onnx names the second one in every file and uses none of its operators.
_IMPORTED: Final = (*_STANDARD, "ai.onnx.ml")
ALLOWED: Final = frozenset(
    {
        *("Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant"),
        *("ConstantOfShape", "Conv", "ConvTranspose", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Expand"),
        *("Flatten", "GRU", "Gather", "Gelu", "Gemm", "GlobalAveragePool", "Greater", "GreaterOrEqual"),
        *("HardSigmoid", "Identity", "InstanceNormalization", "LSTM", "LayerNormalization", "LeakyRelu", "Less"),
        *("LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "Not", "Pad", "Pow", "RNN"),
        *("Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        *("ReduceSumSquare", "Relu", "Reshape", "Resize", "ReverseSequence", "Selu", "Shape", "Sigmoid", "Sign"),
        *("Size", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh"),
        *("Tile", "Transpose", "Unsqueeze", "Where"),
    }
)
"""Operators of the standard domain that Keras models of this kind are exported to: no loops, no strings."""

_ORT_IDENTIFIER: Final = b"ORTM"


def check_onnx_file(data: bytes, where: object) -> None:
    """Check that an ONNX file is one graph of known operators that keeps all its numbers itself.

    Args:
        data: Of the file.
        where: Its name, for messages.

    Raises:
        BundleError: it refers to other files, or holds operators, functions or subgraphs that no architecture here has.
    """
    if data[4:8] == _ORT_IDENTIFIER:  # ONNX Runtime's own format, which it tells by this mark
        raise refused(where, "it is in the ORT format, not in ONNX")
    model = _message_class()()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise refused(where, f"it is not ONNX ({error})") from error
    if not model.graph.node:
        raise refused(where, "it is not ONNX, or its graph is empty")
    for opset in model.opset_import:
        if opset.domain not in _IMPORTED:
            raise refused(where, f"it uses operators of the domain {opset.domain[:60]!r}")
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise refused(where, "it defines functions, training steps or sparse weights")
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            raise refused(where, f"it uses operators of the domain {node.domain[:60]!r}")
        if node.op_type not in ALLOWED:
            raise refused(where, f"it uses the operator {node.op_type[:60]!r}")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise refused(where, f"its operator {node.op_type} runs a graph of its own")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise refused(where, f"its operator {node.op_type} has sparse weights")
    for tensor in _tensors(model):
        if tensor.data_location or tensor.external_data:
            place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            raise refused(where, f"it keeps weights in another file, {place[:60]!r}")


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


@cache
def _message_class() -> Any:
    """The class of the message ``Model``. Fields that are not declared are skipped by the parser."""
    file = descriptor_pb2.FileDescriptorProto(name="reconstream.proto", package="reconstream.onnx", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, repeated, kind) in fields.items():
            declared = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                declared.type, declared.type_name = _MESSAGE, f".reconstream.onnx.{kind}"
            else:
                declared.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("reconstream.onnx.Model"))
