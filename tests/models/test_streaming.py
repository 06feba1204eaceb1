"""The streaming model: trained on chunks, served step by step, with a memory that goes on."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.architectures import build
from models.architectures.streaming.network import LinearShape, unroll
from models.backend import load_tensorflow
from models.bundle import RUNTIMES, load_bundle, open_runtime
from models.bundle.layout import GOLDEN_OUTPUT, ONNX
from models.errors import BundleError, SpecError
from models.fitting.carried import CarriedObjective, CarriedShape, chunk_lanes
from models.fitting.chunks import ChunkBank, Chunks
from models.formats.exporting import export_onnx
from models.golden import CARRIED_GOLDEN_WINDOWS, TOLERANCE
from models.memory import Memory, new_states
from models.renewal import Renewal
from models.runtimes import runtime_of
from models.runtimes.batches import KERAS_SIZES
from models.runtimes.keras import keras_graph
from models.runtimes.onnx import onnx_graph
from models.spec import ModelSpec
from models.training import TrainOptions, train
from tests.models.test_bundle import replace

pytestmark = pytest.mark.keras
WINDOW, CHANNELS = 8, 3


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request, streaming_bundle):
    return open_runtime(streaming_bundle, request.param)


@pytest.fixture(scope="module")
def onnx_runtime(streaming_bundle):
    return open_runtime(streaming_bundle, "onnx")


def wave(rows, seed=0):
    steps = np.arange(rows)[:, None] + seed * 7
    noise = np.random.default_rng(seed).normal(scale=0.3, size=(rows, CHANNELS))
    return (1.2 * np.sin(steps / [5.0, 9.0, 31.0]) + noise).astype(np.float32)


def windows_of(rows, ends=None):
    ends = np.arange(WINDOW, len(rows) + 1) if ends is None else ends
    return rows[ends[:, None] + np.arange(-WINDOW, 0)]


def along(runtime, windows, steps=None):
    """Outputs for consecutive windows of one series, and its memory afterwards."""
    count = len(windows)
    steps = np.r_[0, np.ones(count - 1, np.int64)] if steps is None else steps
    memory = Memory(new_states(runtime.state_dtype, 1), np.zeros(count, np.int64), steps)
    return runtime(windows, memory), memory.states


def loss_of(objective, chunks, *, training):
    tensorflow = load_tensorflow()
    parts = (chunks.rows, chunks.observed, chunks.counted, chunks.fresh)
    figures = objective.loss(tuple(tensorflow.constant(part) for part in parts), training=training)
    return {name: float(value) for name, value in figures.items()}


class TestAgreement:
    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    def test_a_thousand_steps_give_what_keras_gives_for_the_whole_series_at_once(self, cell, streaming_trained):
        """The unrolled model is Keras's own recurrence; the runtime takes its step a thousand times."""
        spec, model = streaming_trained.spec, streaming_trained.model
        if cell != "lstm":
            spec = ModelSpec(
                channels=("x", "y", "z"), architecture="streaming", window=WINDOW, units=6, latent=3, seed=5,
                options={"cell": cell, "lags": 3, "highway": False},
            )  # fmt: skip
            model = build(spec)
        rows = wave(1000 + WINDOW - 1)
        runtime = runtime_of(onnx_graph(export_onnx(model), spec, "model"))
        found, _ = along(runtime, windows_of(rows))
        lags = LinearShape.of(spec).lags
        lagged = np.concatenate([np.roll(rows, back, axis=0) for back in range(lags - 1, -1, -1)], axis=1)
        states = [np.zeros((1, 6), np.float32)] * (2 if cell == "lstm" else 1)
        whole = unroll(model, spec)([rows[None], lagged[None], *states], training=False)
        reconstruction = np.asarray(whole["reconstruction"])[0, WINDOW - 1 :].reshape(-1, WINDOW, CHANNELS)
        prediction = np.asarray(whole["prediction"])[0, WINDOW - 2 : -1, None]
        assert np.abs(found.parts["reconstruction"] - reconstruction).max() <= TOLERANCE
        assert np.abs(found.parts["prediction"] - prediction).max() <= TOLERANCE

    def test_both_runtimes_agree_over_a_thousand_steps(self, streaming_bundle, onnx_runtime):
        windows = windows_of(wave(1000 + WINDOW - 1))
        first, _ = along(onnx_runtime, windows)
        second, _ = along(open_runtime(streaming_bundle, "keras"), windows)
        assert set(first.parts) == {"reconstruction", "prediction", "linear"}
        for name, tensor in first.parts.items():
            assert np.abs(tensor - second.parts[name]).max() <= TOLERANCE


@pytest.mark.parametrize(("asked", "lags"), [(2, 2), (64, WINDOW - 1)])
def test_the_autoregression_estimates_the_last_row_from_those_before_it_and_carries_the_prediction(asked, lags):
    """However many are asked for, from the very first window on, which a series reads row by row."""
    spec = ModelSpec(
        channels=("x", "y", "z"), architecture="streaming", window=WINDOW, units=4, latent=2, options={"lags": asked}
    )
    model = build(spec)
    weights = np.random.default_rng(0).normal(size=(3 * lags, 3)).astype(np.float32)
    model.get_layer("autoregression").set_weights([weights, np.array([1, 2, 3], np.float32)])
    rows = wave(20)
    found, _ = along(runtime_of(onnx_graph(export_onnx(model), spec, "model")), windows_of(rows))
    seen = np.stack([rows[end - lags : end].reshape(-1) for end in range(WINDOW - 1, len(rows))])
    expected = seen @ weights + [1, 2, 3]
    assert found.parts["linear"].shape == (13, 1, 3)
    np.testing.assert_allclose(found.parts["linear"][:, 0], expected, atol=1e-5)
    # The network's own part is zero before training; the prediction was made one row earlier, and waited in the state.
    np.testing.assert_allclose(found.parts["prediction"][:, 0], expected, atol=1e-5)


class TestMemory:
    @pytest.mark.parametrize("seed", range(2))
    def test_the_same_bits_in_any_batching(self, runtime, seed):
        random = np.random.default_rng(seed)
        rows = [wave(60, number) for number in range(9)]
        order = random.permutation(np.repeat(np.arange(9), 20))
        turns = np.array([(order[:index] == number).sum() for index, number in enumerate(order)])
        strides = random.integers(1, 3, size=(9, 20))
        ends = WINDOW + np.cumsum(strides, axis=1) - strides[:, :1]
        windows = np.stack([rows[n][ends[n, t] - WINDOW : ends[n, t]] for n, t in zip(order, turns, strict=True)])
        steps = np.where(turns == 0, 0, strides[order, turns])
        together = new_states(runtime.state_dtype, 9)
        whole = runtime(windows, Memory(together, order, steps))
        apart = new_states(runtime.state_dtype, 9)
        cuts = np.sort(random.choice(np.arange(1, len(order)), 6, replace=False))
        parts = [
            runtime(windows[piece], Memory(apart, order[piece], steps[piece]))
            for piece in np.split(np.arange(len(order)), cuts)
        ]
        for name, tensor in whole.parts.items():
            assert np.concatenate([part.parts[name] for part in parts]).tobytes() == tensor.tobytes()
        assert apart.tobytes() == together.tobytes()

    def test_a_state_that_went_through_bytes_goes_on_exactly(self, onnx_runtime):
        windows = windows_of(wave(100))
        whole, _ = along(onnx_runtime, windows)
        _, states = along(onnx_runtime, windows[:40])
        again = np.frombuffer(bytearray(states.tobytes()), onnx_runtime.state_dtype)
        rest = onnx_runtime(windows[40:], Memory(again, np.zeros(53, np.int64), np.ones(53, np.int64)))
        for name, tensor in whole.parts.items():
            assert rest.parts[name].tobytes() == tensor[40:].tobytes()

    def test_rows_between_two_windows_are_read_though_they_have_no_window(self, onnx_runtime):
        """A filled gap moves the memory on: the window behind it is the same as if every row had had one."""
        rows = wave(60)
        every, states = along(onnx_runtime, windows_of(rows))
        ends = np.array([8, 9, 10, 14, 15, 20, 60 - 4, 60])
        some, skipped = along(onnx_runtime, windows_of(rows, ends), np.diff(ends, prepend=8))
        assert some.parts["prediction"][3:6].tobytes() == every.parts["prediction"][ends[3:6] - WINDOW].tobytes()
        # From 20 to 56 more rows passed than a window holds: the memory began anew, and knows the last window alone.
        fresh, _ = along(onnx_runtime, windows_of(rows, ends[-2:]), np.array([0, 4]))
        assert some.reconstruction[-2:].tobytes() == fresh.reconstruction.tobytes()
        assert skipped.tobytes() != states.tobytes()

    def test_what_came_long_before_matters(self, onnx_runtime):
        """Else it would be a window model."""
        rows = wave(30)
        other = rows.copy()
        other[:4] += 1.0
        (first, _), (second, _) = along(onnx_runtime, windows_of(rows)), along(onnx_runtime, windows_of(other))
        assert np.abs(first.reconstruction[10] - second.reconstruction[10]).max() > 1e-5


@pytest.fixture(scope="module")
def graph():
    """A cell whose gates are half open, and that hardly forgets."""
    spec = ModelSpec(
        channels=("x", "y", "z"), architecture="streaming", window=WINDOW, units=2, latent=2,
        options={"lags": 1, "linear_rows": 1},
    )  # fmt: skip
    model = build(spec)
    kernel, bias = np.zeros((3, 8), np.float32), np.zeros(8, np.float32)
    kernel[:, 4:6] = 1.0  # the candidate sees the sum of the channels
    bias[2:4] = 12.0  # and the forget gate lets go of six millionths a step
    model.get_layer("memory").set_weights([kernel, np.zeros((2, 8), np.float32), bias])
    return keras_graph(model)


class TestRenewal:
    def after_anomaly(self, graph, renewal):
        runtime = runtime_of(graph, KERAS_SIZES, renewal)
        rows = wave(60) * 0.2
        rows[20:40] = 5.0
        return along(runtime, windows_of(rows)), along(runtime, windows_of(rows[40:]))

    def test_without_it_the_anomaly_stays(self, graph):
        (_, after), (_, fresh) = self.after_anomaly(graph, None)
        assert (after["cell"] > 5).all()
        assert (np.abs(fresh["cell"]) < 3).all()

    def test_with_it_memory_is_that_of_a_series_that_begins_behind_the_anomaly(self, graph):
        (output, after), (fresh_output, fresh) = self.after_anomaly(graph, Renewal(limit=4.0, samples=10))
        assert after.tobytes() == fresh.tobytes()
        assert output.parts["prediction"][-13:].tobytes() == fresh_output.parts["prediction"].tobytes()

    def test_a_short_anomaly_and_one_that_lasts_change_nothing(self, graph):
        (_, kept), _ = self.after_anomaly(graph, Renewal(limit=4.0, samples=21))
        assert (kept["cell"] > 5).all()
        assert kept["extreme"].tolist() == [0]
        runtime = runtime_of(graph, KERAS_SIZES, Renewal(limit=4.0, samples=10))
        _, lasting = along(runtime, windows_of(np.full((60, 3), 5.0, np.float32)))
        assert lasting["extreme"].tolist() == [60]

    def test_the_limit_is_what_training_data_rarely_exceeds(self):
        rows = np.random.default_rng(0).normal(size=(100_000, 3)).astype(np.float32)
        limit = Renewal.fit(rows, 5).limit
        assert (np.abs(rows).max(axis=1) > limit).mean() == pytest.approx(0.001, rel=0.05)

    @pytest.mark.parametrize(
        ("limit", "samples", "message"),
        [(0.0, 5, "the limit of renewal is 0.0; it must be above 0"), (1.0, 0, "renewal after 0 samples; it must be")],
    )
    def test_values_that_make_no_sense(self, limit, samples, message):
        with pytest.raises(SpecError, match=message):
            Renewal(limit, samples)

    def test_it_is_in_the_bundle(self, streaming_trained, streaming_bundle):
        assert streaming_bundle.renewal == streaming_trained.renewal
        assert streaming_bundle.renewal.samples == 4


class TestGolden:
    def test_it_steps_through_series_and_holds_every_output(self, streaming_bundle, streaming_trained):
        windows, expected = streaming_bundle.golden()
        assert windows.tobytes() == streaming_trained.golden.tobytes()
        assert expected.shape == (CARRIED_GOLDEN_WINDOWS, (WINDOW + 1 + 4) * CHANNELS)

    @pytest.mark.parametrize("column", [0, WINDOW * CHANNELS, (WINDOW + 1) * CHANNELS])
    def test_any_output_that_differs_is_noticed(self, streaming_path, tmp_path, column):
        copy = shutil.copytree(streaming_path, tmp_path / "copy")
        golden = load_bundle(copy).golden()[1].copy()
        golden[-1, column] += 0.001
        np.save(tmp_path / "golden.npy", golden)
        replace(copy, GOLDEN_OUTPUT, (tmp_path / "golden.npy").read_bytes())
        with pytest.raises(BundleError, match=r"the onnx runtime differs from Keras by 0\.001 on the golden sample"):
            open_runtime(load_bundle(copy))

    def test_a_memory_that_works_otherwise_is_noticed(self, streaming_path, tmp_path):
        """Recurrent weights show in no first step: memory is zero then."""
        copy = shutil.copytree(streaming_path, tmp_path / "copy")
        model = onnx.load_from_string((copy / ONNX).read_bytes())
        recurrent = [tensor for tensor in model.graph.initializer if list(tensor.dims) == [6, 24]]
        assert len(recurrent) == 1
        changed = numpy_helper.to_array(recurrent[0]) + np.float32(0.05)
        recurrent[0].CopyFrom(numpy_helper.from_array(changed, recurrent[0].name))
        replace(copy, ONNX, model.SerializeToString())
        with pytest.raises(BundleError, match="the onnx runtime differs from Keras"):
            open_runtime(load_bundle(copy))


class TestTraining:
    def test_it_is_recorded_like_any_other(self, streaming_trained):
        record = streaming_trained.history.epochs[0]
        assert {"reconstruction", "prediction"} <= set(record.measures)
        assert {layer.layer for layer in record.layers} >= {"memory", "code", "reconstruction", "prediction"}
        assert streaming_trained.history.held_out_windows == streaming_trained.calibration.samples

    def test_the_same_seed_gives_the_same_weights(self, tiny_data, streaming_trained):
        again = train(tiny_data, streaming_trained.spec, TrainOptions(epochs=1, horizon_sequences=0))
        for one, other in zip(again.model.get_weights(), streaming_trained.model.get_weights(), strict=True):
            assert one.tobytes() == other.tobytes()

    def test_training_adds_to_what_the_linear_model_predicts(self, streaming_trained):
        """The network's part begins at zero, and has moved; the linear weights are as they were fitted."""
        head, linear = (streaming_trained.model.get_layer(name) for name in ("prediction", "autoregression"))
        assert np.abs(head.get_weights()[0]).max() > 0
        assert not linear.trainable
        assert np.abs(linear.get_weights()[0]).max() > 0.1

    def test_state_goes_on_from_chunk_to_chunk_and_begins_anew_where_it_should(self, streaming_trained):
        spec = streaming_trained.spec
        model = streaming_trained.model
        shape = CarriedShape(window=WINDOW, lags=3, states={"hidden": 6, "cell": 6}, prediction_weight=1.0)
        bank = SimpleNamespace(lanes=1, batches_per_pass=1)
        rows = wave(WINDOW - 1 + 20 + 1)

        def loss(*parts: tuple[int, int, bool]) -> list[float]:
            objective = CarriedObjective(model, unroll(model, spec), bank, shape)
            found = []
            for start, stop, fresh in parts:
                drawn = rows[None, start : stop + WINDOW]
                chunks = Chunks(
                    drawn, np.ones(drawn.shape, np.bool_), np.ones((1, stop - start), np.bool_), np.array([fresh])
                )
                found.append(loss_of(objective, chunks, training=True)["loss"])
            return found

        (whole,) = loss((0, 20, True))
        first, going_on = loss((0, 10, True), (10, 20, False))
        assert (first + going_on) / 2 == pytest.approx(whole, rel=1e-5)
        _, anew = loss((0, 10, True), (10, 20, True))
        assert anew == loss((10, 20, True))[0]
        assert abs(anew - going_on) > 1e-4

    def test_values_that_were_not_observed_and_steps_that_do_not_count_play_no_part(self, streaming_trained):
        spec, model = streaming_trained.spec, streaming_trained.model
        shape = CarriedShape(window=WINDOW, lags=3, states={"hidden": 6, "cell": 6}, prediction_weight=1.0)
        objective = CarriedObjective(model, unroll(model, spec), SimpleNamespace(lanes=1, batches_per_pass=1), shape)
        rows = wave(WINDOW + 12)[None]
        observed = np.ones(rows.shape, np.bool_)
        observed[0, -1] = False
        counted = np.ones((1, 12), np.bool_)
        counted[0, 3:] = False
        fresh = np.array([True])
        before = loss_of(objective, Chunks(rows, observed, counted, fresh), training=False)
        changed = rows.copy()
        changed[0, -4:] = 9.0  # later than any window or prediction that counts
        after = loss_of(objective, Chunks(changed, observed, counted, fresh), training=False)
        assert before["loss"] == after["loss"]
        assert before["weight"] == 3 * WINDOW * CHANNELS

    def test_wide_windows_are_read_by_fewer_lanes(self):
        assert chunk_lanes(256, 16, 38) == 16
        assert chunk_lanes(256, 64, 1000) == 2
        assert chunk_lanes(4096, 64, 1000) == 1

    def test_a_cell_that_there_is_not(self):
        with pytest.raises(SpecError, match="option cell is 'rnn'; it must be lstm, gru"):
            ModelSpec(channels=("a",), architecture="streaming", options={"cell": "rnn"})

    @pytest.mark.parametrize(("channels", "shape"), [(3, (5, 10, 29)), (38, (5, 10, 64)), (1024, (2, 2, 64))])
    def test_linear_paths_see_fewer_rows_of_many_channels(self, channels, shape):
        names = tuple(f"c{number}" for number in range(channels))
        found = LinearShape.of(ModelSpec(channels=names, architecture="streaming", window=16))
        assert (found.lags, found.rows, found.components) == shape

    def test_bank_lanes_are_no_more_than_there_are_chunks(self, tiny_data):
        from models.fitting.windows import lay_windows
        from models.scaling import Scaler
        from models.segments import cut

        times_ns, values = tiny_data["a"]
        laid = {"a": lay_windows(cut(times_ns, values, 10**9, 5), WINDOW, 0.2, 0.5)}
        bank = ChunkBank(laid, Scaler.fit({"a": values}), WINDOW, 4096, 16)
        assert bank.lanes == 1
