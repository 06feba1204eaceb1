"""What the settings of a stream and its bundle together say about windows and incidents."""

from __future__ import annotations

import math

from detector.alerting.policy import IncidentPolicy
from detector.alerting.silence import SilencePolicy
from detector.alerting.standing import StandingPolicy
from detector.errors import BundleError, ConfigError
from detector.series.frozen import FreezeLimits
from detector.series.spec import WindowSpec
from detector.settings import FrozenSettings, IncidentSettings, SilenceSettings, WindowSettings
from models.bundle import Bundle
from models.habits import Runs

_NS = 1_000_000_000
# Of the ten MiB that a record of the state topic may have, with room for everything else in it.
_MOST_SNAPSHOT_BYTES = 9_000_000
# A series is silent after so many of its longest usual gaps. Series of one partition are seldom in step to the second,
# so it is a minute at least.
GAPS_OF_SILENCE = 5
_SHORTEST_SILENCE_SECONDS = 60.0


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
