from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from models.bundle import check_target, load_bundle, open_runtime, write_bundle
from models.bundle.layout import GOLDEN_INPUT, GOLDEN_OUTPUT, KERAS, MANIFEST, MAX_BYTES, ONNX
from models.errors import BundleError
from models.scores import PartErrors, ScoreRule

pytestmark = pytest.mark.keras
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PARTS = sorted(MAX_BYTES)


def edit(path, **changes):
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps(manifest | changes))


def replace(path, name, content):
    """Put another file in and make the manifest agree, as someone who forges a bundle would."""
    (path / name).write_bytes(content)
    files = json.loads((path / MANIFEST).read_text())["files"]
    files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    edit(path, files=files)


def test_what_was_trained_is_read_back_bit_for_bit(tiny_trained, tiny_bundle):
    assert tiny_bundle.spec == tiny_trained.spec
    assert tiny_bundle.calibration == tiny_trained.calibration
    assert tiny_bundle.scaler.scale.tobytes() == tiny_trained.scaler.scale.tobytes()
    assert tiny_bundle.scaler.centre.tobytes() == tiny_trained.scaler.centre.tobytes()
    assert tiny_bundle.rule.to_dict() == tiny_trained.rule.to_dict()
    assert tiny_bundle.warm_up == tiny_trained.warm_up == 256
    assert tiny_bundle.training_data == tiny_trained.training_data
    assert tiny_bundle.history()["best_epoch"] == tiny_trained.history.best_epoch
    carried = tiny_bundle.chain(open_runtime(tiny_bundle)).state_dtype
    assert carried is not None
    assert tiny_bundle.history()["carried_bytes"] == carried.itemsize > 0
    assert tiny_bundle.golden()[0].tobytes() == tiny_trained.golden.tobytes()


def test_the_digest_is_that_of_the_manifest_and_the_version_names_it(tiny_path, tiny_bundle):
    assert tiny_bundle.digest == hashlib.sha256((tiny_path / MANIFEST).read_bytes()).hexdigest()
    assert tiny_bundle.version == f"lstm-20260102-{tiny_bundle.digest[:8]}"


def test_the_libraries_that_trained_it_are_named(tiny_bundle):
    assert {"keras", "tf2onnx", "numpy"} <= tiny_bundle.libraries.keys()


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_byte_is_found_before_anything_is_parsed(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name}: its checksum differs .* tampered with: copy it again"):
        load_bundle(copied)


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: it is missing; .*copy it again"):
        load_bundle(copied)


@pytest.mark.parametrize("name", PARTS)
def test_a_file_of_another_size_is_named(copied, name):
    with (copied / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=rf"{name}: it has .* bytes instead of"):
        load_bundle(copied)


def test_a_changed_manifest_gives_another_digest(copied, tiny_bundle):
    edit(copied, created_at="2026-01-03T00:00:00+00:00")
    assert load_bundle(copied).digest != tiny_bundle.digest


@pytest.mark.parametrize("name", ["model.h5", "weights.HDF5", "scaler.pkl", "x.pickle", "saved_model.pb"])
def test_formats_that_can_run_code_are_refused_by_name(copied, name):
    (copied / name).write_bytes(b"anything")
    with pytest.raises(BundleError, match=rf"{name}: files of this kind can run code .* never opened; remove it"):
        load_bundle(copied)


def test_a_file_that_does_not_belong_is_named(copied):
    (copied / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes.txt is no part of the bundle; remove it"):
        load_bundle(copied)


def test_no_name_in_the_manifest_leads_out_of_the_bundle(copied):
    files = json.loads((copied / MANIFEST).read_text())["files"]
    edit(copied, files=files | {"../../etc/passwd": files[KERAS]})
    with pytest.raises(BundleError, match=r"it lists '../../etc/passwd', which is no part of a bundle"):
        load_bundle(copied)


def test_a_manifest_that_leaves_a_file_out_is_refused(copied):
    files = json.loads((copied / MANIFEST).read_text())["files"]
    del files[ONNX]
    edit(copied, files=files)
    with pytest.raises(BundleError, match=r"it does not list model.onnx"):
        load_bundle(copied)


def test_sizes_beyond_the_limit_are_refused(copied):
    files = json.loads((copied / MANIFEST).read_text())["files"]
    files[KERAS] = files[KERAS] | {"bytes": MAX_BYTES[KERAS] + 1}
    edit(copied, files=files)
    with pytest.raises(BundleError, match=r"model.keras has .* bytes; at most 536,870,912 are allowed"):
        load_bundle(copied)


def test_a_manifest_beyond_the_limit_is_refused_unread(copied):
    with (copied / MANIFEST).open("r+b") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(BundleError, match=r"manifest.json: it is larger than 67,108,864 bytes"):
        load_bundle(copied)


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_another_schema_version_is_named(copied, version):
    edit(copied, schema_version=version)
    with pytest.raises(BundleError, match=f"has schema version {version!r}, this program reads 2; train it again"):
        load_bundle(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "it is not JSON"), (b"\xff\xfe\x00", "it is not JSON"), (b"[]", "it is not an object"),
     (b"[" * 100_000, "it is not JSON")],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(copied, content, message):
    (copied / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=message):
        load_bundle(copied)


def test_parts_that_do_not_fit_each_other_are_refused(copied):
    part = PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0)
    edit(copied, score=ScoreRule((part,), (1,), "plain", np.ones((1, 1))).to_dict())
    with pytest.raises(BundleError, match="scaler or score do not fit the model's 3 channels"):
        load_bundle(copied)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, r"the model has no reconstruction of shape \[16, 3\]"),
        ({"reconstruction": [8, 3]}, r"the model has no reconstruction of shape \[16, 3\]"),
        (
            {"reconstruction": [16, 3], "linear": [17, 3]},
            r"the output 'linear' of shape \[17, 3\] does not fit the model",
        ),
        ({"reconstruction": [16, 3], "penalty": [1]}, r"the output 'penalty' of shape \[1\] does not fit the model"),
        ({"reconstruction": [16, 3], "other": [16, 3]}, r"the output 'other' of shape \[16, 3\] does not fit"),
        ({"reconstruction": "16, 3"}, "the shape of the output 'reconstruction' is no list of integers"),
        ({"reconstruction": [16, True]}, "the shape of the output 'reconstruction' is no list of integers"),
    ],
)
def test_outputs_that_no_model_gives_are_refused(copied, outputs, message):
    edit(copied, outputs=outputs)
    with pytest.raises(BundleError, match=rf"manifest.json: {message}"):
        load_bundle(copied)


def test_a_model_that_gives_less_than_the_manifest_says_is_refused(copied, tmp_path):
    np.save(tmp_path / "golden.npy", np.zeros((16, 16 * 3 + 3), np.float32))
    edit(copied, outputs={"reconstruction": [16, 3], "prediction": [1, 3]})
    replace(copied, GOLDEN_OUTPUT, (tmp_path / "golden.npy").read_bytes())
    with pytest.raises(
        BundleError,
        match=r"gives reconstruction \[16, 3\], the manifest says prediction \[1, 3\], reconstruction \[16, 3\]; train",
    ):
        open_runtime(load_bundle(copied))


def test_a_golden_sample_has_two_halves(copied, tmp_path):
    for name, shape in ((GOLDEN_INPUT, (15, 16, 3)), (GOLDEN_OUTPUT, (15, 48))):
        np.save(tmp_path / "golden.npy", np.zeros(shape, np.float32))
        replace(copied, name, (tmp_path / "golden.npy").read_bytes())
    with pytest.raises(BundleError, match=r"golden_input.npy: it has no two halves"):
        load_bundle(copied).golden()


def test_unknown_keys_are_refused(copied):
    edit(copied, plugin="os.system")
    with pytest.raises(BundleError, match="unknown keys: plugin"):
        load_bundle(copied)


def test_no_directory_and_no_bundle_are_told_apart(tmp_path):
    with pytest.raises(BundleError, match="there is no such directory; write one with 'detector train"):
        load_bundle(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"it has no manifest.json; name the directory"):
        load_bundle(tmp_path)


def test_a_golden_sample_that_holds_objects_is_not_unpickled(copied, tmp_path):
    np.save(tmp_path / "objects.npy", np.array([print], object), allow_pickle=True)
    replace(copied, GOLDEN_INPUT, (tmp_path / "objects.npy").read_bytes())
    with pytest.raises(BundleError, match=r"golden_input.npy: it is not an array of numbers, but of Python objects"):
        load_bundle(copied).golden()


def test_a_forged_model_that_carries_code_is_never_handed_to_keras(copied, tmp_path):
    import keras

    inputs = keras.Input((16, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "evil.keras")
    replace(copied, KERAS, (tmp_path / "evil.keras").read_bytes())
    with pytest.raises(
        BundleError, match=r"model.keras: its configuration names 'Lambda' of 'keras.layers'; no model of this program"
    ):
        open_runtime(load_bundle(copied), "keras")


def test_what_changes_after_loading_is_not_used(copied):
    bundle = load_bundle(copied)
    content = bytearray((copied / ONNX).read_bytes())
    content[100] ^= 1
    (copied / ONNX).write_bytes(content)
    with pytest.raises(BundleError, match=r"model.onnx: its checksum differs"):
        open_runtime(bundle)


def test_a_bundle_is_replaced_only_on_purpose(copied, tiny_trained):
    with pytest.raises(BundleError, match="exists already; choose another name, or replace it on purpose with --force"):
        write_bundle(copied, tiny_trained, NOW)
    digest = write_bundle(copied, tiny_trained, NOW, force=True)
    assert load_bundle(copied).digest == digest
    assert [entry.name for entry in copied.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_no_bundle_is_never_replaced(tmp_path, tiny_trained, kind):
    target = tmp_path / "work"
    if kind == "directory":
        target.mkdir()
        (target / "thesis.txt").write_text("years of work")
    else:
        target.write_text("years of work")
    with pytest.raises(BundleError, match="holds other files than a bundle's and is not replaced; choose another name"):
        write_bundle(target, tiny_trained, NOW, force=True)
    assert (target / "thesis.txt" if kind == "directory" else target).read_text() == "years of work"


@pytest.mark.parametrize("beneath", ["notes.txt", "notes.txt/models"])
def test_a_place_beneath_a_file_is_none(tmp_path, beneath):
    (tmp_path / "notes.txt").write_text("no directory")
    with pytest.raises(
        BundleError, match=r"cannot be written: .*/notes\.txt is not a directory that this user may write"
    ):
        check_target(tmp_path / beneath / "bundle", force=False)


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(copied, tiny_trained, monkeypatch):
    before = load_bundle(copied).digest

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.bundle.writing._write", full)
    with pytest.raises(
        BundleError, match="cannot be written: No space left on device; check the directory and the disk"
    ):
        write_bundle(copied, tiny_trained, NOW, force=True)
    assert load_bundle(copied).digest == before
    assert [entry.name for entry in copied.parent.iterdir()] == ["copy"]


def test_a_model_that_runtimes_would_disagree_about_is_not_written(tmp_path, tiny_trained):
    other = dataclasses.replace(tiny_trained, golden=tiny_trained.golden * np.float32(np.nan))
    with pytest.raises(BundleError, match=r"differs from Keras by nan .* amplifies .*; train it with a shorter window"):
        write_bundle(tmp_path / "bundle", other, NOW)
    assert not (tmp_path / "bundle").exists()
