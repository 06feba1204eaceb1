"""Model files as an attacker would forge them: refused before Keras or ONNX Runtime sees them, with a message."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.bundle import load_bundle, open_runtime, write_bundle
from models.bundle.layout import GOLDEN_INPUT, KERAS, MANIFEST, ONNX, TRAINING
from models.errors import BundleError, SpecError
from models.formats.keras_archive import check_keras_file
from models.formats.onnx_graph import check_onnx_file
from models.spec import ModelSpec

pytestmark = pytest.mark.keras
REMEDY = "no model of this program has that, so the file is not opened: copy the bundle again from where it was trained"
KIB = 1024


def replace(path: Path, name: str, content: bytes) -> None:
    """Put another file in and make the manifest agree, as someone who forges a bundle would."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (path / MANIFEST).write_text(json.dumps(manifest))


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED, modes: dict[str, int] | None = None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (modes or {}).get(name, 0) << 16
            info.compress_type = compression
            archive.writestr(info, data)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model(tiny_path) -> dict[str, bytes]:
    return members((tiny_path / KERAS).read_bytes())


def with_config(model, change) -> bytes:
    config = json.loads(model["config.json"])
    change(config)
    return zipped(model | {"config.json": json.dumps(config).encode()})


def with_weights(model, tmp_path, change) -> bytes:
    path = tmp_path / "weights.h5"
    path.write_bytes(model["model.weights.h5"])
    with h5py.File(path, "a") as file:
        change(file)
    return zipped(model | {"model.weights.h5": path.read_bytes()})


def refuse_keras(data: bytes, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_keras_file(data, "b/model.keras")
    assert message in str(caught.value)
    assert REMEDY in str(caught.value)
    assert str(caught.value).startswith("b/model.keras: ")


class TestArchive:
    def test_what_was_trained_passes(self, model):
        check_keras_file(zipped(model), "x")

    @pytest.mark.parametrize(
        "name", ["../../etc/cron.d/x", "/etc/passwd", "assets/../../x", "..\\x", "C:\\x", "\\\\host\\x"]
    )
    def test_members_that_lead_out(self, model, name):
        refuse_keras(zipped(model | {name: b"x"}), f"its member {name!r} leads out of the archive")

    @pytest.mark.parametrize("name", ["assets/vocabulary.txt", "config.json/", "model.weights.npz", "x.pkl"])
    def test_members_that_do_not_belong(self, model, name):
        refuse_keras(zipped(model | {name: b"x"}), f"it has a member {name!r}")

    def test_a_symbolic_link(self, model):
        data = zipped(model | {"metadata.json": b"/etc/passwd"}, modes={"metadata.json": stat.S_IFLNK | 0o777})
        refuse_keras(data, "its member 'metadata.json' is a link or another special file")

    def test_a_missing_member(self, model):
        refuse_keras(zipped({"config.json": model["config.json"]}), "it lacks the member 'metadata.json'")

    def test_a_member_twice(self, model):
        buffer = io.BytesIO(zipped(model))
        with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("config.json", b"{}")
        refuse_keras(buffer.getvalue(), "it has two members 'config.json'")

    def test_a_zip_bomb(self, model):
        data = zipped(model | {"config.json": b" " * (3 * KIB * KIB)}, compression=zipfile.ZIP_DEFLATED)
        refuse_keras(data, "its member 'config.json' unfolds from ")

    def test_a_member_that_is_too_large(self, model):
        config = os.urandom(5 * KIB * KIB)
        refuse_keras(zipped(model | {"config.json": config}), "config.json unfolds to more than 4,194,304 bytes")

    def test_a_bomb_that_lies_about_its_size(self, model):
        # The central directory says 10 bytes, the data would be 3 MiB.
        data = bytearray(zipped({"config.json": b" " * (3 * KIB * KIB)} | model, compression=zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            size = archive.getinfo("config.json").file_size
        place = data.rindex(size.to_bytes(4, "little"))
        data[place : place + 4] = (10).to_bytes(4, "little")
        refuse_keras(bytes(data), "it is no sound zip archive")

    def test_unusual_compression(self, model):
        refuse_keras(
            zipped(model, compression=zipfile.ZIP_BZIP2), "'metadata.json' is encrypted or compressed in an unusual way"
        )

    @pytest.mark.parametrize("data", [b"", b"PK", b"x" * 1000, b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
    def test_no_archive(self, data):
        refuse_keras(data, "it is no sound zip archive")


def layer(config, number: int):
    return config["config"]["layers"][number]


def set_lambda(config):
    layer(config, 1).update(class_name="Lambda", config={"function": {"class_name": "__lambda__", "config": {}}})


def set_torch_module(config):
    layer(config, 1).update(module="keras.layers", class_name="TorchModuleWrapper")


def set_function(config):
    layer(config, 1)["config"]["activation"] = {
        "module": "keras.src.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file",
    }  # fmt: skip


def set_module(config):
    layer(config, 1).update(module="subprocess", class_name="Popen", registered_name=None)


def set_operation(config):
    # Beside the one operation that is allowed.
    layer(config, 1).update(module="keras.src.ops.numpy", class_name="Flip")
    layer(config, 2).update(module="keras.src.ops.numpy", class_name="Einsum")


def set_module_without_class(config):
    config["config"]["extra"] = {"module": "os", "function": "system"}


def set_registered(config):
    layer(config, 1)["registered_name"] = "evil>Layer"


def set_typespec(config):
    layer(config, 1)["config"]["extra"] = {"class_name": "__typespec__", "spec_name": "x", "config": []}


def set_activation(config):
    layer(config, 1)["config"]["activation"] = "evil"


def set_compile(config):
    config["compile_config"] = {"loss": {"module": "builtins", "class_name": "function", "config": "exec"}}


def set_units(config):
    layer(config, 1)["config"]["units"] = 10**12


def set_dense_units(config):
    next(found for found in config["config"]["layers"] if found["class_name"] == "Dense")["config"]["units"] = 10**12


def set_window(config):
    layer(config, 0)["config"]["batch_shape"][1] = 10**12


def set_float_shape(config):
    layer(config, 0)["config"]["batch_shape"][1] = 1e300


def set_text_lookup(config):
    layer(config, 1)["config"]["kernel_initializer"] = "keras.utils.get_file"


def set_depth(config):
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    config["config"]["extra"] = nested


class TestConfiguration:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (set_lambda, "its configuration names 'Lambda' of 'keras.layers'"),
            (set_torch_module, "its configuration names 'TorchModuleWrapper' of 'keras.layers'"),
            (set_function, "its configuration names 'function' of 'keras.src.utils'"),
            (set_module, "its configuration names 'Popen' of 'subprocess'"),
            (set_operation, "its configuration names 'Einsum' of 'keras.src.ops.numpy'"),
            (set_module_without_class, "its configuration names 'None' of 'os'"),
            (set_registered, "its configuration names the custom object 'evil>Layer'"),
            (set_typespec, "its configuration names '__typespec__' of 'None'"),
            (set_activation, "its configuration has activation 'evil'"),
            (set_compile, "its configuration tells how to compile the model"),
            (set_units, "its configuration has units 1000000000000, beyond 2,048"),
            (set_dense_units, "its configuration has units 1000000000000, beyond 16,384"),
            (set_window, "its configuration has a batch_shape that is none, or an axis beyond 16,384"),
            (set_float_shape, "its configuration has a batch_shape that is none, or an axis beyond 16,384"),
            (set_text_lookup, "its configuration has kernel_initializer 'keras.utils.get_file'"),
            (set_depth, "its configuration is nested more than 40 deep"),
        ],
    )
    def test_is_refused(self, model, change, message):
        refuse_keras(with_config(model, change), message)

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
    def test_is_not_json(self, model, content):
        refuse_keras(zipped(model | {"config.json": content}), "its config.json is not JSON")

    @pytest.mark.parametrize("content", [b"[]", b"1", b'{"class_name": "Lambda"}'])
    def test_is_no_model(self, model, content):
        refuse_keras(zipped(model | {"config.json": content}), "its configuration is not that of a Keras model")

    def test_a_layer_that_imports_a_module_does_not_import_it(self, copied, model, tmp_path):
        """End to end, in a process of its own: the module that the configuration names would leave a trace."""
        (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\nclass Layer: pass\n")
        change = with_config(model, lambda config: layer(config, 1).update(module="trap", class_name="Layer"))
        replace(copied, KERAS, change)
        code = (
            "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
            "from models.bundle import load_bundle; from models.bundle import open_runtime\n"
            "open_runtime(load_bundle(Path(sys.argv[1])), 'keras')"
        )
        ran = subprocess.run([sys.executable, "-c", code, str(copied), str(tmp_path)], capture_output=True, text=True)
        assert "its configuration names 'Layer' of 'trap'" in ran.stderr
        assert not (tmp_path / "sprung").exists()

    def test_a_model_of_another_shape(self, copied, model):
        from models.architectures import build

        build(ModelSpec(channels=("a", "b"), window=5, units=2, latent=1)).save(copied / KERAS)
        replace(copied, KERAS, (copied / KERAS).read_bytes())
        with pytest.raises(
            BundleError, match=r"takes windows \[5, 2\], the manifest says windows \[16, 3\]; train anew"
        ):
            open_runtime(load_bundle(copied), "keras")


def external_link(file):
    file["layers/dense/vars/0"].parent["1x"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    file["layers/dense/vars"]["1x"] = h5py.SoftLink("/layers")


def cycle(file):
    file["layers/dense/vars"]["1x"] = file["layers"]


def external_storage(file):
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("x", layout)


def compressed(file):
    file.create_dataset("x", (1 << 20,), "f4", compression="gzip", fillvalue=0)


def huge_and_empty(file):
    file.create_dataset("x", (1 << 50,), "f4")


def references(file):
    file.create_dataset("x", data=file["layers"].ref, dtype=h5py.ref_dtype)


def text(file):
    file["x"] = "pickled"


def named_type(file):
    file["x"] = np.dtype("f8")


class TestWeights:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (external_link, "its weights link to another file, '/etc/passwd'"),
            (soft_link, "its weights hold a symbolic link, '1x'"),
            (cycle, "its weights hold '/layers/dense/vars/1x' under two names"),
            (external_storage, "its weights keep '/x' in another file, "),
            (virtual, "its weights take '/x' from other files or arrays"),
            (compressed, "its weights hold '/x' compressed or incomplete"),
            (huge_and_empty, "its weights hold '/x' compressed or incomplete"),
            (references, "its weights hold '/x', which is not numbers"),
            (text, "its weights hold '/x', which is not numbers"),
            (named_type, "its weights hold 'x', which is neither a group nor an array"),
        ],
    )
    def test_are_refused(self, model, tmp_path, change, message):
        refuse_keras(with_weights(model, tmp_path, change), message)

    @pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x89HDF\r\n\x1a\n" + b"\xff" * 500])
    def test_are_no_hdf5(self, model, content):
        refuse_keras(zipped(model | {"model.weights.h5": content}), "its weights are no sound HDF5 file")


def identity(*, op: str = "Identity", domain: str = "", **attributes) -> onnx.ModelProto:
    shape = ["n", 16, 3]
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])


def external_tensor(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def refuse_onnx(data: bytes, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_onnx_file(data, "b/model.onnx")
    assert message in str(caught.value)
    assert REMEDY in str(caught.value)


class TestOnnx:
    def test_what_was_trained_passes(self, tiny_path):
        check_onnx_file((tiny_path / ONNX).read_bytes(), "x")
        check_onnx_file(identity().SerializeToString(), "x")

    @pytest.mark.parametrize("location", ["../../../etc/passwd", "/etc/shadow", "weights.bin"])
    def test_weights_in_another_file(self, location):
        model = identity()
        model.graph.initializer.append(external_tensor(location))
        refuse_onnx(model.SerializeToString(), f"it keeps weights in another file, '{location}'")

    def test_an_attribute_in_another_file(self):
        model = identity(op="Constant", value=external_tensor("../x"))
        refuse_onnx(model.SerializeToString(), "it keeps weights in another file, '../x'")

    def test_external_data_without_its_mark(self):
        tensor = external_tensor("../x")
        tensor.data_location = TensorProto.DEFAULT
        model = identity()
        model.graph.initializer.append(tensor)
        refuse_onnx(model.SerializeToString(), "it keeps weights in another file, '../x'")

    def test_a_custom_domain(self):
        refuse_onnx(
            identity(op="Run", domain="evil.ops").SerializeToString(), "it uses operators of the domain 'evil.ops'"
        )
        model = identity()
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        refuse_onnx(model.SerializeToString(), "it uses operators of the domain 'com.microsoft'")

    @pytest.mark.parametrize("op", ["Loop", "If", "Scan", "ImageDecoder", "StringNormalizer", "Nonsense"])
    def test_an_operator_that_no_model_has(self, op):
        refuse_onnx(identity(op=op).SerializeToString(), f"it uses the operator '{op}'")

    def test_a_graph_inside_of_an_operator(self):
        inner = identity().graph
        refuse_onnx(identity(body=inner).SerializeToString(), "its operator Identity runs a graph of its own")
        refuse_onnx(identity(bodies=[inner]).SerializeToString(), "its operator Identity runs a graph of its own")

    def test_functions(self):
        model = identity()
        model.functions.append(helper.make_function("d", "f", ["x"], ["y"], [], [helper.make_opsetid("", 15)]))
        refuse_onnx(model.SerializeToString(), "it defines functions, training steps or sparse weights")

    @pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff" * 100, b"hello, world" * 10])
    def test_no_onnx(self, data):
        refuse_onnx(data, "it is not ONNX")

    def test_the_other_format_of_onnx_runtime(self):
        refuse_onnx(b"\0\0\0\0ORTM" + b"\0" * 100, "it is in the ORT format, not in ONNX")

    def test_neither_the_working_directory_nor_the_bundle_is_read_for_weights(self, copied, monkeypatch, tmp_path):
        (tmp_path / "w.bin").write_bytes(b"\0" * 4)
        monkeypatch.chdir(tmp_path)
        model = onnx.load_from_string((copied / ONNX).read_bytes())
        model.graph.initializer.append(external_tensor("w.bin"))
        replace(copied, ONNX, model.SerializeToString())
        with pytest.raises(BundleError, match=r"model.onnx: it keeps weights in another file, 'w.bin'"):
            open_runtime(load_bundle(copied))

    def test_several_inputs(self, copied):
        model = identity(op="Add")
        model.graph.node[0].input.append("z")
        model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 16, 3]))
        replace(copied, ONNX, model.SerializeToString())
        with pytest.raises(BundleError, match=r"takes x \[16, 3\], z \[16, 3\], the manifest says windows \[16, 3\]"):
            open_runtime(load_bundle(copied))


class TestFiles:
    def test_a_link_out_of_the_bundle_is_not_followed(self, copied, tmp_path):
        (tmp_path / "elsewhere").write_bytes((copied / ONNX).read_bytes())
        (copied / ONNX).unlink()
        (copied / ONNX).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BundleError, match=r"model.onnx: it is a symbolic link; a bundle holds its files itself"):
            load_bundle(copied)

    @pytest.mark.parametrize("name", [ONNX, TRAINING])
    def test_a_pipe_does_not_hang_the_start(self, copied, name):
        (copied / name).unlink()
        os.mkfifo(copied / name)
        with pytest.raises(BundleError, match=rf"{name}: it is not a regular file"):
            load_bundle(copied)

    def test_a_header_that_asks_for_all_memory(self, copied):
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 16, 3), }"
        header += b" " * (117 - len(header)) + b"\n"
        replace(copied, GOLDEN_INPUT, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64)
        with pytest.raises(BundleError, match=r"it does not have the size that it says, \[1000000000000, 16, 3\]"):
            load_bundle(copied).golden()

    @pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"[]", b"\xff"])
    def test_a_history_that_is_none(self, copied, content):
        replace(copied, TRAINING, content)
        with pytest.raises(BundleError, match=r"training.json: it is not (JSON|an object)"):
            load_bundle(copied).history()

    @pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02\nevil: yes", "\x1b[31m"])
    def test_a_date_that_is_none(self, copied, text):
        manifest = json.loads((copied / MANIFEST).read_text())
        (copied / MANIFEST).write_text(json.dumps(manifest | {"created_at": text}))
        with pytest.raises(BundleError, match=r"manifest.json: Invalid isoformat string"):
            load_bundle(copied)

    @pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\ud800", "a" * 1025])
    def test_channel_names_that_cannot_be_shown(self, name):
        with pytest.raises(SpecError, match=r"has more than 1024 characters or one that cannot be printed"):
            ModelSpec(channels=("x", name))

    def test_a_link_in_the_place_of_a_bundle_is_not_replaced(self, copied, tiny_trained, tmp_path):
        from datetime import UTC, datetime

        link = tmp_path / "current"
        link.symlink_to(copied, target_is_directory=True)
        before = load_bundle(copied).digest
        with pytest.raises(
            BundleError, match="current is a symbolic link and is not replaced; name the directory that"
        ):
            write_bundle(link, tiny_trained, datetime(2026, 1, 3, tzinfo=UTC), force=True)
        assert link.is_symlink()
        assert load_bundle(copied).digest == before
