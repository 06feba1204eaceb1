"""Where settings become parts: the one place that knows all of them."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import StandingPolicy
from detector.cli.common.bundles import BundleSource
from detector.cli.common.listening import Listener
from detector.errors import BundleError, ConfigError
from detector.model_address import ModelPlace
from detector.pipeline.context import StreamContext
from detector.records.decoders import decoder
from detector.records.reader import RecordReader
from detector.scoring.drift_meter import DriftMeter
from detector.scoring.scorer import Scorer
from detector.series.cold import ColdSeries
from detector.series.eviction import Residency
from detector.series.frozen import FreezeLimits
from detector.series.spec import WindowSpec
from detector.series.values import WindowBatch
from detector.settings import (
    FrozenSettings,
    IncidentSettings,
    RegistrySettings,
    SilenceSettings,
    StateSettings,
    StreamSettings,
    WindowSettings,
)
from detector.settings_file import fingerprint, shaping_settings
from models.bundle import Bundle, open_runtime
from models.errors import BundleError as DamagedBundleError
from models.errors import ModelsError
from models.habits import Runs

_NS = 1_000_000_000
_WARM_UP_WINDOWS = (1, 1024)
# Of the ten MiB that a record of the state topic may have, with room for everything else in it.
_MOST_SNAPSHOT_BYTES = 9_000_000
# A series is silent after so many of its longest usual gaps. Series of one partition are seldom in step to the second,
# so it is a minute at least.
GAPS_OF_SILENCE = 5
_SHORTEST_SILENCE_SECONDS = 60.0


def open_bundle(place: ModelPlace, registry: RegistrySettings | None = None) -> Bundle:
    """Load and verify a bundle, from a directory or a registry.

    Raises:
        BundleError: it is missing, damaged or of another version.
        RegistryUnavailableError: a registry cannot be read.
    """
    return BundleSource(registry).open(place)


def window_spec(bundle: Bundle, settings: WindowSettings, carried_bytes: int = 0) -> WindowSpec:
    """Windows as the bundle was trained on, with the stream's policies for gaps and lateness.

    Args:
        bundle: Says length, channels and period.
        settings: Of the stream.
        carried_bytes: What the model carries along a series, which is part of the series' snapshot.

    Raises:
        BundleError: a snapshot of such a window would not fit a record.
    """
    spec = bundle.spec
    snapshot_bytes = spec.window * (len(spec.channels) + 1) * 8 + carried_bytes
    if snapshot_bytes > _MOST_SNAPSHOT_BYTES:
        carried = f", with {carried_bytes:,} bytes that the model carries along," if carried_bytes else ""
        raise BundleError(
            f"a window of {spec.window} samples of {len(spec.channels)} channels{carried} takes {snapshot_bytes:,} "
            f"bytes in the state topic, more than {_MOST_SNAPSHOT_BYTES:,}; train with a shorter --window"
            f"{', fewer --channels or fewer --units' if carried_bytes else ' or fewer --channels'}"
        )
    return WindowSpec(
        length=spec.window,
        channels=len(spec.channels),
        period_ns=None if spec.period_seconds is None else round(spec.period_seconds * _NS),
        stride=settings.stride,
        max_gap_steps=settings.max_gap_steps,
        lateness_ns=round(settings.lateness_seconds * _NS),
        max_jump_ns=round(settings.max_jump_seconds * _NS),
        stale_after_ns=round(settings.stale_after_seconds * _NS),
        forget_after_ns=round(settings.forget_after_seconds * _NS),
        min_coverage=settings.min_coverage,
        max_series=settings.max_series,
        names=tuple(spec.channels),
    )


def incident_policy(bundle: Bundle, settings: IncidentSettings) -> IncidentPolicy:
    """Incidents at the bundle's calibrated threshold, unless the stream sets its own.

    Raises:
        BundleError: neither has a threshold.
    """
    threshold = settings.threshold if settings.threshold is not None else bundle.calibration.threshold
    if not (threshold > 0 and threshold < float("inf")):
        raise BundleError(
            f"the bundle's calibrated threshold is {threshold}; train it again on more data, or set incidents.threshold"
        )
    return IncidentPolicy(
        threshold=threshold,
        quiet_score=settings.close_ratio * threshold,
        open_after=settings.open_after or bundle.calibration.open_after,
        close_after=settings.close_after if settings.close_after is not None else bundle.spec.window,
        cool_down_ns=round(settings.cool_down_seconds * _NS),
        update_every_ns=round(settings.update_every_seconds * _NS),
        warning_ratio=settings.warning_ratio,
        critical_ratio=settings.critical_ratio,
        top_channels=settings.top_channels,
        channels=tuple(bundle.spec.channels),
    )


def silence_policy(
    bundle: Bundle, settings: SilenceSettings, window: WindowSettings, incidents: IncidentSettings
) -> SilencePolicy | None:
    """When a series counts as silent; None: never, since it is switched off, or forgotten before.

    Args:
        bundle: Says what the usual gaps are.
        settings: Of the stream.
        window: Of the stream; says when a series is forgotten.
        incidents: Of the stream; says how often an incident is repeated.

    Raises:
        ConfigError: a series would be forgotten before it could count as silent.
    """
    forget = window.forget_after_seconds
    if not settings.enabled:
        return None
    after = settings.after_seconds
    if after is not None:
        if after >= forget:
            raise ConfigError(
                f"silence.after_seconds {after:g} s is not shorter than window.forget_after_seconds {forget:g} s, "
                "after which a series is forgotten; lower the one or raise the other, or set silence.enabled to false"
            )
    elif bundle.habits.gap_seconds is None:
        return None
    else:
        after = max(_SHORTEST_SILENCE_SECONDS, GAPS_OF_SILENCE * bundle.habits.gap_seconds)
        if after >= forget:
            return None
    return SilencePolicy(max(1, round(after * _NS)), standing_policy(settings.critical_ratio, incidents))


def standing_policy(critical_ratio: float, incidents: IncidentSettings) -> StandingPolicy:
    """What happens while a series is silent, or a channel frozen."""
    return StandingPolicy(critical_ratio, round(incidents.update_every_seconds * _NS))


def freeze_limits(bundle: Bundle, settings: FrozenSettings) -> FreezeLimits | None:
    """For how many samples channels may keep a value; None: nobody watches, since no channel says how long it rests."""
    if not settings.enabled:
        return None

    def limits(runs: Runs) -> tuple[float, ...]:
        return tuple(
            math.inf if run is None else max(settings.least_samples, math.floor(run * settings.margin)) for run in runs
        )

    habits = bundle.habits
    usual = limits(habits.usual_runs) or (math.inf,) * len(bundle.spec.channels)
    found = FreezeLimits(
        usual, {name: limits(runs) for name, runs in zip(habits.series, habits.longest_runs, strict=True)}
    )
    watched = [usual, *found.of.values()]
    return found if any(math.isfinite(limit) for row in watched for limit in row) else None


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
