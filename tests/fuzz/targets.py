"""Every place where bytes from outside are read. A target returns, or it has found a bug.

What a reader is documented to raise is an answer; anything else passes through, and the fuzzer keeps the bytes. What is
accepted must be usable, so the targets go on with it.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from detector.alerting.events import InvalidEventError
from detector.alerting.events import decode as decode_event
from detector.alerting.events import encode as encode_event
from detector.alerting.identity import Identity
from detector.alerting.incidents import IncidentTracker, ScoredSample
from detector.alerting.policy import IncidentPolicy
from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import (
    STANDING_VERSION,
    StandingPolicy,
    StandingState,
    StandingTeller,
    encode_standing,
)
from detector.alerting.watch import SeriesWatch
from detector.errors import ConfigError, InvalidRecordError, StateMismatchError
from detector.feedback.verdicts import InvalidFeedbackError, Verdict, decode_verdict, encode_verdict
from detector.model_address import RegistryReference
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.records.values import PlainRecord, TallSample, WideSample
from detector.series.carried import memory_layout
from detector.series.frozen import FreezeLimits
from detector.series.snapshot import SnapshotError, encode_snapshot, make_snapshot
from detector.series.store import SeriesStore, WindowSpec
from detector.settings import RecordSettings
from detector.settings_file.loading import load_settings
from detector.settings_file.starter import starter_text
from detector.state import (
    Control,
    Epoch,
    SeriesState,
    control_key,
    decode_checkpoint,
    decode_control,
    decode_epoch,
    decode_part,
    decode_series,
    encode_epoch,
    encode_state,
    epoch_key,
    parse_epoch_key,
    parse_key,
    series_key,
)  # fmt: skip
from models.bundle import load_bundle
from models.bundle.layout import MANIFEST, MAX_BYTES, SCHEMA_VERSION, FileRecord
from models.bundle.npy import read_npy
from models.errors import BundleError, RegistryError
from models.formats.keras_archive import MEMBERS, check_keras_file
from models.formats.keras_config import check_config
from models.formats.onnx_graph import check_onnx_file
from models.reference import Reference
from models.registry.marker import check_marker
from models.registry.names import check_name
from models.registry.records import Move, Version
from models.registry.stores import DirectoryStore
from models.scaling import Scaler
from models.scores import PartErrors, ScoreRule
from models.spec import ModelSpec
from models.variation import Track

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A reader.

    Attributes:
        name: For the command line and the files of findings.
        run: Reads bytes.
        seeds: Valid input, to start from.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


# Records


@cache
def readers() -> list[RecordReader]:
    layouts = (
        RecordSettings(),
        RecordSettings(series_fields=("s", "t.0"), time_field="time", channel_fields={"a": "a.0.x"}),
        RecordSettings(time_field="time", channels_under="f"),
        RecordSettings(time_field="time", time_unit="iso8601"),
        RecordSettings(layout="tall", series_fields=("s",), time_field="time", channel_name_field="c", value_field="f"),
    )
    return [RecordReader(layout, ("a", "b"), decoder("json")) for layout in layouts]


def record(data: bytes) -> None:
    for reader in readers():
        for key, value in ((b"k", data), (data, b'{"a": 1}')):
            try:
                sample = reader.read(PlainRecord("t", 0, 0, 1_700_000_000_000, key, value))
            except InvalidRecordError as error:
                error.detail.encode()
                assert len(error.detail) < 300, error.detail
            else:
                assert sample is None or sample.series.encode()


def record_seeds() -> list[bytes]:
    return [
        b'{"a": 1.5, "b": "2", "time": 1700000000, "s": "x", "t": ["y"]}',
        b'{"f": {"a": NaN, "b": true}, "time": "2026-01-02T03:04:05Z", "s": 7}',
        b'{"c": "a", "f": -0.0, "time": 1700000000000, "s": "x"}',
        b'{"a": [{"x": 1e999}], "b": "\\ud800", "time": 9e99}',
    ]


# Configuration


@cache
def config_file() -> Path:
    return Path(tempfile.mkdtemp(prefix="reconstream-fuzz-")) / "detector.yaml"


def config(data: bytes) -> None:
    config_file().write_bytes(data)
    try:
        load_settings(config_file(), {"NAME": "value", "KAFKA_PASSWORD": "secret", "METRICS_PASSWORD": "other"})
    except ConfigError as error:
        assert str(error)


def config_seeds() -> list[bytes]:
    text = starter_text()
    live = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return [
        text.encode(),
        live.encode(),
        b"streams: [&a {name: a, topic: t, model: m}, {<<: *a, name: b, topic: ${NAME:-x}}]\n",
        b"streams: [{name: a, topic: t, model: m, window: {stale_after_seconds: 1h30m}}]\nhttp: {port: 0x10}\n",
        b"kafka: {sasl: {mechanism: PLAIN, username: u, password: ${KAFKA_PASSWORD}}}\n? [x]\n: !!binary aGk=\n",
    ]


def environment(data: bytes) -> None:
    """Lines ``NAME=value``, put behind the prefix."""
    config_file().write_text("streams: [{name: a, topic: t, model: m}]\n")
    pairs = (line.partition("=") for line in data.decode("utf-8", "surrogateescape").splitlines())
    try:
        load_settings(config_file(), {f"RECONSTREAM_{name}": value for name, _, value in pairs})
    except ConfigError as error:
        assert str(error)


def environment_seeds() -> list[bytes]:
    return [
        b"KAFKA__BOOTSTRAP_SERVERS=a:1,b:2\nSTREAMS__0__RECORD__CHANNEL_FIELDS={cpu: a.b}\nHTTP__PORT=1",
        b"STREAMS__1__NAME=b\nSTREAMS__1__TOPIC=u\nSTREAMS__1__MODEL=m\nWINDOW=1\nSTREAMS__0=x",
        b"STREAMS__0__RECORD__SERIES_FIELDS=[a, b]\nHTTP__AUTH__USERNAME=u\nHTTP__AUTH__PASSWORD=p",
    ]


# Bundles


@cache
def bundle_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="reconstream-fuzz-"))
    for name in MAX_BYTES:
        (folder / name).write_bytes(b"x")
    return folder


def manifest(data: bytes) -> None:
    (bundle_folder() / MANIFEST).write_bytes(data)
    try:
        found = load_bundle(bundle_folder())
    except BundleError:
        return
    assert found.version.isprintable()
    " ".join(found.spec.channels).encode()


def manifest_seeds() -> list[bytes]:
    spec = ModelSpec(channels=("a", "b"), window=4, period_seconds=1.0, units=2, latent=1)
    rows, times = np.arange(40.0).reshape(20, 2), np.arange(20) * SECOND
    one = FileRecord.of(b"x")
    document = {
        "schema_version": SCHEMA_VERSION,
        "created_at": "2026-01-02T03:04:05+00:00",
        "spec": spec.to_dict(),
        "outputs": {"reconstruction": [4, 2], "prediction": [1, 2]},
        "renewal": {"limit": 4.0, "samples": 8},
        "scaler": Scaler.fit({"s": rows}).to_dict(),
        "score": ScoreRule(
            (PartErrors("reconstruction", "squared", 1, np.ones(2), 1.0),), (1,), "plain", np.ones((1, 1))
        ).to_dict(),
        "warm_up": 0,
        "calibration": {
            "method": "highest_score",
            "risk": 0.001,
            "threshold": 1.0,
            "open_after": 1,
            "samples": 1,
            "outliers": 0,
            "quantiles": {"0.5": 0.5},
            "tail_shape": None,
            "held_out_days": 1.0,
            "held_out_incidents": None,
            "expected_alerts_per_day": None,
            "spot": None,
            "feedback": None,
            "alerts_per_week": None,
        },
        "reference": Reference.of(
            [Track("s", times, rows.astype(np.float32))], [Track("s", times, rows[:, :1])]
        ).to_dict(),
        "habits": {"gap_seconds": 1.0, "series": ["s"], "longest_runs": [[1, None]]},
        "training_data": {},
        "libraries": {"keras": "3.15.1"},
        "files": {name: {"sha256": one.sha256, "bytes": one.size_bytes} for name in MAX_BYTES},
    }
    return [json.dumps(document).encode()]


def npy(data: bytes) -> None:
    try:
        found = read_npy(data, (4, 2))
    except ValueError:
        return
    assert found.nbytes <= len(data)


def npy_seeds() -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 4, 2), np.float32))
    return [buffer.getvalue()]


def keras_archive(data: bytes) -> None:
    try:
        check_keras_file(data, "model.keras")
    except BundleError:
        return


def keras_archive_seeds() -> list[bytes]:
    found = []
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name in MEMBERS:
                archive.writestr(zipfile.ZipInfo(name), json.dumps(KERAS_CONFIG))
        found.append(buffer.getvalue())
    return found


def keras_config(data: bytes) -> None:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        check_config(parsed, "model.keras")
    except BundleError:
        return


KERAS_CONFIG: dict[str, object] = {
    "module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
    "config": {"layers": [
        {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4, 2]}},
        {"module": "keras.layers", "class_name": "LSTM", "registered_name": None, "config": {
            "units": 8, "activation": "tanh", "kernel_initializer": {
                "module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": 1}}},
            "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"shape": [None, 4, 2]}}]}]},
    ]},
    "compile_config": {},
}  # fmt: skip


def keras_config_seeds() -> list[bytes]:
    return [json.dumps(KERAS_CONFIG).encode()]


def onnx_file(data: bytes) -> None:
    try:
        check_onnx_file(data, "model.onnx")
    except BundleError:
        return


def onnx_seeds() -> list[bytes]:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4, 2]) for name in "xy"]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"]), helper.make_node("Constant", [], ["c"], value=weights)]
    return [helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], [weights])).SerializeToString()]


# State


SPECS = tuple(
    WindowSpec(
        length=4, channels=2, period_ns=period_ns, stride=1, max_gap_steps=2, lateness_ns=30 * SECOND,
        max_jump_ns=3600 * SECOND, stale_after_ns=60 * SECOND, forget_after_ns=7200 * SECOND, min_coverage=0.5,
        max_series=10,
    )
    for period_ns in (None, 10 * SECOND)
)  # fmt: skip
START_NS = 1_767_323_040 * SECOND
LIMITS = FreezeLimits((3.0, 3.0))
CARRIED = memory_layout(np.dtype([("mean", "<f4", (2,))]), "m" * 64)


def series_snapshot(data: bytes) -> None:
    """As they are, and as the content of a snapshot that is otherwise sound."""
    for form in (data, *(bytes((version,)) + zlib.compress(data, 1) for version in (1, 2, 3))):
        for spec in SPECS:
            store = SeriesStore(spec, memory=CARRIED, limits=LIMITS)
            try:
                store.restore("s", form)
            except SnapshotError:
                continue
            use_store(store)


def use_store(store: SeriesStore) -> None:
    """A store that took a snapshot goes on with it, in both layouts, without an error of its own."""
    snapshots = {series: store.snapshot(series) for series in store}
    for tall in (False, True):
        again = SeriesStore(store.spec, memory=CARRIED, limits=LIMITS)
        for series, snapshot in snapshots.items():
            again.restore(series, snapshot)
        for step in range(12):
            time_ns = START_NS + step * 10 * SECOND
            for channel in range(2 if tall else 1):
                sample = TallSample("s", time_ns, channel, 1.0) if tall else WideSample("s", time_ns, (1.0, 2.0))
                try:
                    again.add(sample, 100 + step)
                except InvalidRecordError:
                    continue
        batch = again.take()
        assert np.isfinite(batch.values).any() or not len(batch.series)
        again.take_resets()
        for series in again:
            again.snapshot(series)


def series_snapshot_seeds() -> list[bytes]:
    found = []
    for spec in SPECS:
        for tall in (False, True):
            store = SeriesStore(spec, memory=CARRIED, limits=LIMITS)
            for step in range(5):
                time_ns = START_NS + step * 10 * SECOND
                store.add(
                    TallSample("s", time_ns, step % 2, 1.0) if tall else WideSample("s", time_ns, (1.0, 2.0)), step
                )
            store.take()
            found.append(zlib.decompress(store.snapshot("s")[1:]))
        found.append(zlib.decompress(encode_snapshot(make_snapshot(spec))[1:]))
    return found


POLICY = IncidentPolicy(
    threshold=1.0, quiet_score=0.8, open_after=2, close_after=3, cool_down_ns=5 * SECOND,
    update_every_ns=2 * SECOND, warning_ratio=2.0, critical_ratio=5.0, top_channels=2, channels=("a", "b"),
)  # fmt: skip
IDENTITY = Identity("s", "c", "t", 0, "m" * 64, "v", "f")


def track_snapshot(data: bytes) -> None:
    """As they are, and behind a header with the right checksum."""
    for form in (data, struct.pack(">BI", 1, zlib.crc32(data)) + data):
        tracker = IncidentTracker(POLICY, IDENTITY)
        try:
            tracker.restore("s", form)
        except SnapshotError:
            continue
        tracker.snapshot("s")
        for step, score in enumerate((3.0, 6.0, 0.1, 0.1, 0.1, 2.0, 2.0)):
            tracker.open_incidents()
            for found in tracker.advance(scored(step, score)):
                encode_event(found)
        tracker.reset("s", START_NS + 100 * SECOND, 200, "gap")


def scored(step: int, score: float) -> ScoredSample:
    return ScoredSample(
        series="s", time_ns=START_NS + step * SECOND, offset=100 + step, start_offset=90 + step, score=score,
        contributions=np.array([score, 0], np.float32), seen=np.array([1.0, np.nan]), expected=np.array([0.0, 1.0]),
    )  # fmt: skip


def track_snapshot_seeds() -> list[bytes]:
    found = []
    for scores in ((3.0,), (3.0, 3.0), (3.0, 3.0, 0.1, 0.1, 0.1)):
        tracker = IncidentTracker(POLICY, IDENTITY)
        for step, score in enumerate(scores):
            tracker.advance(scored(step, score))
        snapshot = tracker.snapshot("s")
        assert snapshot is not None
        found.append(snapshot[5:])
    return found


def standing_snapshot(data: bytes) -> None:
    """As they are, and behind a header with the right checksum; then the series speaks, and moves."""
    lively = StandingPolicy(1.5, 20 * SECOND)
    for form in (data, struct.pack(">BI", STANDING_VERSION, zlib.crc32(data)) + data):
        store = SeriesStore(SPECS[0], limits=LIMITS)
        watch = SeriesWatch(store, IDENTITY, SilencePolicy(60 * SECOND, lively), ("a", "b"), lively)
        try:
            watch.restore("s", form)
        except SnapshotError:
            continue
        watch.snapshot("s")
        watch.go_live()
        for step in range(6):
            store.add(WideSample("s", START_NS + step * 10 * SECOND, [1.0, 2.0 if step < 4 else float(step)]), step)
            watch.sample("s", step)
            for found in (
                *(moment.event for moment in watch.take_moments()),
                *(watch.frozen(notice) for notice in watch.take_notices()),
            ):
                if found is not None:
                    encode_event(found)


def standing_snapshot_seeds() -> list[bytes]:
    silence, frozen = (StandingTeller(kind, IDENTITY, StandingPolicy()) for kind in ("silence", "frozen"))
    opened = {
        "started_ns": START_NS,
        "first_offset": 1,
        "time_ns": START_NS,
        "offset": 2,
        "score": 9.0,
        "threshold": 3.0,
    }
    states = (
        StandingState(silence=silence.open("s", **opened)),  # type: ignore[arg-type]
        StandingState(frozen=frozen.open("s", **opened)),  # type: ignore[arg-type]
        StandingState(lagging=True),
    )
    return [encode_standing(state)[5:] for state in states]


def verdict(data: bytes) -> None:
    try:
        found = decode_verdict(data)
    except InvalidFeedbackError:
        return
    assert found.started_ns <= found.ended_ns
    assert decode_verdict(encode_verdict(found)) == found


def verdict_seeds() -> list[bytes]:
    time = "2026-01-02T03:04:05.678Z"
    said = Verdict(
        subject_id="a" * 32, verdict="false_alarm", incident_id="a" * 32, kind="silence", stream="s", series="a",
        started_at=time, ended_at=time, author="jo", given_at=time,
    )  # fmt: skip
    return [encode_verdict(said)]


def event(data: bytes) -> None:
    try:
        found = decode_event(data)
    except InvalidEventError:
        return
    encode_event(found)


def event_seeds() -> list[bytes]:
    tracker = IncidentTracker(POLICY, IDENTITY)
    return [
        encode_event(found)
        for step, score in enumerate((3.0, 3.0, 9.0, 0.1, 0.1, 0.1))
        for found in tracker.advance(scored(step, score))
    ]


def state(data: bytes) -> None:
    for read in (
        decode_control,
        decode_series,
        decode_checkpoint,
        decode_part,
        decode_epoch,
        parse_key,
        parse_epoch_key,
    ):
        try:
            read(data)
        except StateMismatchError as error:
            assert len(str(error)) < 1000
            str(error).encode()


def state_seeds() -> list[bytes]:
    control = Control(2, 10, 5, 3, "m", "f", 1, 4)
    epoch = Epoch(
        version=2, stream="s", topic="t", partition=0, from_offset=1, model="m", model_version="v", fingerprint="f"
    )
    return [
        encode_state(control), encode_state(SeriesState(2, 1, b"w", None)), encode_epoch(epoch),
        control_key("s"), series_key("s", "x y"), epoch_key("k", "s", 1, 2),
        msgspec.msgpack.encode([1, 2, [["s", b"x"]]]),
        msgspec.msgpack.encode([1, "s", "t", 0, 0, 1, msgspec.to_builtins(control)]),
    ]  # fmt: skip


def registry(data: bytes) -> None:
    """What a registry notes down, and the references that lead there."""
    for read in (
        lambda: Version.decode(data, "pumps", "here").encode(),
        lambda: Move.decode(data, "champion", 7, "here").encode(),
        lambda: check_marker(_OneFile(data)),
    ):
        with suppress(RegistryError):
            read()
    text = data.decode("utf-8", "replace")
    with suppress(ValueError):
        reference = RegistryReference.parse(text)
        assert RegistryReference.parse(str(reference)) == reference
        assert "/" not in reference.name + reference.wanted
        assert reference.name not in ("", ".", "..")
    with suppress(RegistryError):
        assert Path(check_name(text)).name == text


class _OneFile(DirectoryStore):
    def __init__(self, data: bytes) -> None:
        super().__init__(Path("nowhere"))
        self._data = data

    def read(self, path: str, most: int) -> bytes | None:
        return self._data[: most + 1]


def registry_seeds() -> list[bytes]:
    """A version, a move, a marker and references."""
    moment = "2026-05-06T07:08:09.000+00:00"
    return [
        Version("pumps", "a" * 64, "lstm-20260506-aaaaaaaa", moment, moment, "ann@here", "why").encode(),
        Move("champion", 7, "a" * 64, "lstm-20260506-aaaaaaaa", moment, "ann@here", "why", "b" * 32).encode(),
        Move("champion", 7, None, "", moment, "ann@here", "why", "b" * 32).encode(),
        b'{"schema_version": 1}',
        b"registry://models/pumps@champion",
        b"s3://bucket/models/pumps@lstm-20260506-aaaaaaaa",
    ]


TARGETS = {
    target.name: target
    for target in (
        Target("record", record, record_seeds),
        Target("config", config, config_seeds),
        Target("environment", environment, environment_seeds),
        Target("manifest", manifest, manifest_seeds),
        Target("npy", npy, npy_seeds),
        Target("keras_archive", keras_archive, keras_archive_seeds),
        Target("keras_config", keras_config, keras_config_seeds),
        Target("onnx", onnx_file, onnx_seeds),
        Target("series_snapshot", series_snapshot, series_snapshot_seeds),
        Target("track_snapshot", track_snapshot, track_snapshot_seeds),
        Target("standing_snapshot", standing_snapshot, standing_snapshot_seeds),
        Target("event", event, event_seeds),
        Target("verdict", verdict, verdict_seeds),
        Target("state", state, state_seeds),
        Target("registry", registry, registry_seeds),
    )
}


def named(names: list[str]) -> Iterator[Target]:
    """The targets of these names, or all.

    Raises:
        KeyError: there is none of that name.
    """
    return (TARGETS[name] for name in names or TARGETS)
