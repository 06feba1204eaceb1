"""Where settings become parts: the one place that knows all of them."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.alerting.identity import Identity
from detector.cli.common.bundles import BundleSource
from detector.cli.common.listening import Listener
from detector.cli.common.policies import (
    freeze_limits,
    incident_policy,
    silence_policy,
    standing_policy,
    window_spec,
)
from detector.errors import BundleError, ConfigError
from detector.model_address import ModelPlace
from detector.pipeline.context import StreamContext
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.scoring.drift_meter import DriftMeter
from detector.scoring.scorer import Scorer
from detector.series.cold import ColdSeries
from detector.series.eviction import Residency
from detector.series.values import WindowBatch
from detector.settings import (
    RegistrySettings,
    StateSettings,
    StreamSettings,
)
from detector.settings_file import fingerprint, shaping_settings
from models.bundle import Bundle, open_runtime
from models.errors import BundleError as DamagedBundleError
from models.errors import ModelsError

_NS = 1_000_000_000
_WARM_UP_WINDOWS = (1, 1024)


def open_bundle(place: ModelPlace, registry: RegistrySettings | None = None) -> Bundle:
    """Load and verify a bundle, from a directory or a registry.

    Raises:
        BundleError: it is missing, damaged or of another version.
        RegistryUnavailableError: a registry cannot be read.
    """
    return BundleSource(registry).open(place)


def stream_context(
    stream: StreamSettings,
    bundle: Bundle,
    cluster: str,
    keep_scores: bool = False,
    listener: Listener | None = None,
) -> StreamContext:
    """Everything that the partitions of a stream share.

    Args:
        stream: Settings of the stream.
        bundle: Its model, already verified.
        cluster: Id of the cluster, or the digest of the file that is replayed.
        keep_scores: Whether every score is wanted.
        listener: Listens in on the model and the scorer.

    Raises:
        BundleError: the model does not open, or does not reproduce its golden sample.
        ConfigError: a setting does not fit the model.
    """
    unknown = sorted(set(stream.record.channel_fields) - set(bundle.spec.channels))
    if unknown:
        raise ConfigError(
            f"stream {stream.name}: record.channel_fields names channels that the model does not have: "
            f"{', '.join(unknown)}; "
            f"it has {', '.join(bundle.spec.channels)}"
        )
    try:
        runtime = open_runtime(bundle, stream.runtime)
    except DamagedBundleError as error:
        raise BundleError(f"stream {stream.name}: {error}") from error
    except ModelsError as error:
        raise ConfigError(f"stream {stream.name}: {error}") from error
    scorer = Scorer(bundle, runtime if listener is None else listener.runtime(runtime))
    carried_bytes = 0 if scorer.state_dtype is None else scorer.state_dtype.itemsize
    return StreamContext(
        name=stream.name,
        reader=RecordReader(stream.record, bundle.spec.channels, decoder(stream.record.decoder)),
        scorer=scorer if listener is None else listener.scorer(scorer),
        spec=window_spec(bundle, stream.window, carried_bytes),
        policy=incident_policy(bundle, stream.incidents),
        identity=Identity(
            stream=stream.name,
            cluster=cluster,
            topic=stream.topic,
            partition=0,
            model=bundle.digest,
            model_version=bundle.version,
            fingerprint=fingerprint(stream),
        ),
        runtime=stream.runtime,
        keep_scores=keep_scores,
        silence=silence_policy(bundle, stream.silence, stream.window, stream.incidents),
        freezes=freeze_limits(bundle, stream.frozen),
        frozen=standing_policy(stream.frozen.critical_ratio, stream.incidents),
        reach=scorer.reach,
        drift=DriftMeter(bundle.reference, bundle.spec.channels, round(stream.drift.window_seconds * _NS)),
        shaping=shaping_settings(stream),
    )


def warm_up(context: StreamContext, bundle: Bundle) -> None:
    """Score ordinary windows, one and many, so that the first real ones find everything loaded and allocated.

    Raises:
        BundleError: the model cannot score what is as ordinary as can be.
    """
    centre = bundle.scaler.centre[0]
    for count in _WARM_UP_WINDOWS:
        zeros = np.zeros(count, np.int64)
        values = np.broadcast_to(centre, (count, bundle.spec.window, len(centre))).astype(np.float64)
        batch = WindowBatch(
            slots=np.arange(count, dtype=np.int32), series=[""] * count, time_ns=zeros, offsets=zeros,
            start_offsets=zeros, values=values, coverage_ok=np.ones(count, np.bool_), steps=zeros,
        )  # fmt: skip
        dtype = context.scorer.state_dtype
        scores = context.scorer.score(batch, None if dtype is None else np.zeros(count, dtype))
        if np.isinf(scores.score).any():
            raise BundleError(
                f"stream {context.name}: the model {bundle.version} gives a window of ordinary values an infinite score"
                "; train it anew"
            )


def residency(state: StateSettings) -> Residency:
    """How many series may be in memory, once it is sure that the others have a place.

    Raises:
        ConfigError: the directory cannot be written.
    """
    directory = Path(tempfile.gettempdir()) if state.directory is None else state.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ColdSeries(directory).close()
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"worker.state.directory: {directory} cannot be written: {error}. Name a directory that this user may "
            "write to, on a disk with room for the series that are not in memory"
        ) from error
    return Residency(state.max_resident_series, directory)


def for_source(context: StreamContext, cluster: str, topic: str) -> StreamContext:
    """The same stream over another source, such as one of several files."""
    return replace(context, identity=replace(context.identity, cluster=cluster, topic=topic))
