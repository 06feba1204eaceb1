"""One input topic with its model."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from detector.settings.incidents import FrozenSettings, IncidentSettings, SilenceSettings
from detector.settings.records import RecordSettings
from detector.settings.values import ModelAddress, Seconds, SecondsFromZero, Section, TopicName, repeated

_STREAM_NAME = re.compile(r"^[a-zA-Z0-9._-]{1,100}$")


def _check_stream_name(name: str) -> str:
    if not _STREAM_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a stream name; use at most 100 letters, digits, '.', '_' and '-'")
    return name


def _check_listed(names: tuple[str, ...]) -> tuple[str, ...]:
    name = repeated(names)
    if name is not None:
        raise ValueError(f"{name!r} is listed twice; remove one of the two")
    if "" in names:
        raise ValueError("a name is empty; write the series as events name it")
    return names


class WindowSettings(Section):
    """Event-time windows of a series; what is left out comes from the bundle."""

    stride: Annotated[int, Field(ge=1)] = 1
    """Score every stride-th sample."""
    max_gap_steps: Annotated[int, Field(ge=0)] = 5
    """With a period: up to this many missing samples in a row are filled; a longer gap starts the window anew."""
    lateness_seconds: SecondsFromZero = 0.0
    """Tall layout: how long an incomplete sample waits, in event time, for missing channels once later ones arrive."""
    max_jump_seconds: Seconds = 86_400.0 * 7
    """A step forward in time longer than this must be confirmed by a second sample before it is believed."""
    stale_after_seconds: Seconds = 900.0
    """A series so far behind the event time that two series of its partition have reached counts as stale."""
    forget_after_seconds: Seconds = 86_400.0 * 7
    """A series this far behind is forgotten; it warms up again when it comes back."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least share of a window's values, and of the last sample's channels, that must have been observed for a score."""
    max_series: Annotated[int, Field(ge=1)] = 1_000_000
    """Most series known per partition, in memory or not; records of further new series go to the dead letters."""


class ShadowSettings(Section):
    """A challenger that scores the same windows as the stream's model and reports nothing but metrics."""

    model: ModelAddress
    """Directory of a bundle; or a model of a registry, such as ``registry://models/pumps@challenger``. It must have the
    period of the stream's model, no longer windows, and no channels that it lacks."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the series that it scores, chosen by their names; scoring all takes as long as the model does."""


class DriftSettings(Section):
    """How far inputs and scores have come from those of training, as metrics; it shapes no outcome."""

    window_seconds: Seconds = 86_400.0
    """Event time over which samples are counted before they are compared."""


class MetricsSettings(Section):
    """Series that have metrics of their own; it shapes no outcome."""

    series: Annotated[tuple[str, ...], Field(max_length=200), AfterValidator(_check_listed)] = ()
    """Names of series, 200 at most, whose latest score over threshold and open incidents are exported with a label
    ``series``. All others are in events only: each of them would cost two time series in Prometheus."""


class StreamSettings(Section):
    """One input topic with its model."""

    name: Annotated[str, AfterValidator(_check_stream_name), Field(json_schema_extra={"pattern": _STREAM_NAME.pattern})]
    """Name of the stream in events and metrics; state belongs to it, so keep it."""
    topic: TopicName
    """Input topic; no two streams share one."""
    model: ModelAddress
    """Directory of a bundle written by ``detector train``; or a model of a registry, such as
    ``registry://models/pumps@champion`` or ``s3://bucket/models/pumps@champion``, whose moves a worker follows."""
    runtime: Literal["onnx", "keras"] = "onnx"
    """What computes the reconstructions; keras needs the extra of that name and starts more slowly."""
    record: RecordSettings = RecordSettings()
    """How the topic's records are laid out."""
    window: WindowSettings = WindowSettings()
    """How samples gather into windows."""
    incidents: IncidentSettings = IncidentSettings()
    """How scores become incidents."""
    silence: SilenceSettings = SilenceSettings()
    """Series that stop."""
    drift: DriftSettings = DriftSettings()
    """How far the stream has come from the training data."""
    frozen: FrozenSettings = FrozenSettings()
    """Channels that stop moving."""
    metrics: MetricsSettings = MetricsSettings()
    """Series that have metrics of their own."""
    shadow: ShadowSettings | None = None
    """A challenger that scores the same windows and reports nothing but metrics."""
