from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest

from models.architectures import build
from models.bundle import RUNTIMES, load_bundle, open_runtime
from models.bundle.layout import GOLDEN_OUTPUT, MANIFEST, ONNX
from models.errors import BundleError
from models.formats.exporting import export_onnx
from models.golden import TOLERANCE
from models.runtimes.batches import in_fixed_batches
from models.spec import ModelSpec

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request, tiny_bundle):
    opened = open_runtime(tiny_bundle, request.param)
    return lambda windows: opened(windows).reconstruction


def windows(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(scale=3, size=(count, 16, 3)).astype(np.float32)


def test_runtimes_agree_with_the_model_that_was_trained(runtime, tiny_trained):
    inputs = windows(300)
    expected = tiny_trained.model(inputs, training=False).numpy()
    assert np.abs(runtime(inputs) - expected).max() <= TOLERANCE


@pytest.mark.parametrize("seed", range(5))
def test_a_reconstruction_has_the_same_bits_whatever_the_batches(runtime, seed):
    random = np.random.default_rng(seed)
    inputs = windows(1100)
    whole = runtime(inputs)
    cuts = np.sort(random.choice(np.arange(1, 1100), 12, replace=False))
    split = np.concatenate([runtime(part) for part in np.split(inputs, cuts)])
    assert split.tobytes() == whole.tobytes()
    order = random.permutation(1100)
    assert runtime(inputs[order]).tobytes() == whole[order].tobytes()


def test_one_window_has_the_same_bits_as_among_many(runtime):
    inputs = windows(20)
    assert np.concatenate([runtime(row[None]) for row in inputs]).tobytes() == runtime(inputs).tobytes()


def test_no_windows_give_no_windows(runtime):
    assert runtime(windows(0)).shape == (0, 16, 3)


def test_batches_are_padded_to_fixed_sizes_and_the_padding_cut_off():
    seen = []

    def run(batch):
        seen.append(len(batch["windows"]))
        return {"reconstruction": batch["windows"] * 2}

    run_all = in_fixed_batches(run, (8, 64))
    for count in (1, 8, 9, 64, 65, 137):
        inputs = windows(count)
        assert (run_all({"windows": inputs})["reconstruction"] == inputs * 2).all()
    assert seen == [8, 8, 64, 64, 64, 8, 64, 64, 64]


def forge(path, name, content):
    import hashlib
    import json

    (path / name).write_bytes(content)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (path / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("wrong", [0.001, np.nan])
def test_a_model_that_differs_from_the_golden_sample_is_refused(copied, tmp_path, name, wrong):
    golden = load_bundle(copied).golden()[1].copy()
    golden[3, 13] += wrong
    np.save(tmp_path / "golden.npy", golden)
    forge(copied, GOLDEN_OUTPUT, (tmp_path / "golden.npy").read_bytes())
    with pytest.raises(
        BundleError, match=rf"the {name} runtime differs from Keras by .* more than 0.0001; use the other"
    ):
        open_runtime(load_bundle(copied), name)


def test_other_weights_than_those_trained_are_refused(copied):
    other = build(ModelSpec(channels=("x", "y", "z"), window=16, units=8, latent=4, seed=99))
    forge(copied, ONNX, export_onnx(other))
    with pytest.raises(BundleError, match="the onnx runtime differs from Keras"):
        open_runtime(load_bundle(copied))


def test_a_file_that_is_no_graph_is_refused(copied):
    forge(copied, ONNX, b"not a graph")
    with pytest.raises(BundleError, match=r"model.onnx: it is not ONNX"):
        open_runtime(load_bundle(copied))


def test_a_graph_that_leads_nowhere_is_refused(copied):
    graph = onnx.load_from_string((copied / ONNX).read_bytes())
    del graph.graph.node[0]
    forge(copied, ONNX, graph.SerializeToString())
    with pytest.raises(BundleError, match=r"model.onnx: ONNX Runtime cannot open it .*; train anew"):
        open_runtime(load_bundle(copied))


def test_an_unknown_runtime_is_answered_with_those_there_are(tiny_bundle):
    with pytest.raises(ValueError, match="there is no runtime 'torch'; choose one of: onnx, keras"):
        open_runtime(tiny_bundle, "torch")


def test_the_graph_has_whole_recurrent_layers_and_any_batch_size(tiny_bundle):
    """An unrolled loop would cost a node per step and most of the speed."""
    import onnx

    graph = onnx.load_from_string(tiny_bundle.read(ONNX)).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("LSTM") == 2
    assert not {"Loop", "Scan"} & set(kinds)
    assert len(kinds) < 60
    batch, *shape = (dimension.dim_value for dimension in graph.input[0].type.tensor_type.shape.dim)
    assert (batch, shape) == (0, [16, 3])


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"keras", "tensorflow", "tf2onnx", "onnx"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
"""
SCORE = """
from pathlib import Path
import numpy as np
from models.bundle import load_bundle
from models.chain import Chain
from models.bundle import open_runtime

bundle = load_bundle(Path(sys.argv[1]))
chain = bundle.chain(open_runtime(bundle))
rows = np.array([chain.row("a"), 0])
values = np.linspace(0, 7, 2 * 16 * 3).reshape(2, 16, 3)
score = chain.judge(values, rows, np.ones(2, bool), None).score
heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"keras", "tensorflow", "tf2onnx", "onnx"})
print(score.tobytes().hex(), heavy)
"""


def python(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, check=False)


def test_a_bundle_scores_without_keras_and_with_the_same_bits(tiny_path):
    free, blocked = (python(head + SCORE, str(tiny_path)) for head in ("import sys\n", BLOCKED))
    assert free.returncode == 0, free.stderr
    assert blocked.returncode == 0, blocked.stderr
    assert free.stdout == blocked.stdout
    assert free.stdout.split()[1] == "[]"


def test_the_keras_runtime_says_what_to_install(tiny_path):
    source = """
from pathlib import Path
from models.bundle import load_bundle
from models.errors import ModelsError
from models.bundle import open_runtime
try:
    open_runtime(load_bundle(Path(sys.argv[1])), "keras")
except ModelsError as error:
    print(error)
"""
    done = python(BLOCKED + source, str(tiny_path))
    assert "Keras is not usable here (tensorflow is blocked)" in done.stdout
    assert "pip install 'reconstream[keras-cpu]'" in done.stdout
