"""The events that are published: one JSON document for each step of an incident.

The format is public; ``event.schema.json`` is generated from the structures here. Within a schema version fields are
only added, never removed, renamed or given another meaning. Encoding is deterministic: equal events are equal bytes.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from detector.alerting.policy import Severity
from detector.alerting.timestamps import TIMESTAMP_PATTERN
from detector.errors import DetectorError

SCHEMA_VERSION: Literal[2] = 2
EventName = Literal["opened", "updated", "closed"]
CloseReason = Literal["quiet", "gap", "forgotten", "resumed", "moved"]
Kind = Literal["reconstruction", "silence", "frozen"]
EVENT_NAMES: Final[tuple[EventName, ...]] = get_args(EventName)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_ID = Meta(pattern="^[0-9a-f]{32}$")
_TIME = Meta(pattern=TIMESTAMP_PATTERN, extra_json_schema={"format": "date-time"})
_Id = Annotated[str, _ID]
_Time = Annotated[str, _TIME]


class InvalidEventError(DetectorError):
    """Bytes that are not an event of this schema version."""


class ChannelDetail(msgspec.Struct, frozen=True):
    """What one channel had to do with the peak."""

    channel: Annotated[str, Meta(description="Name of the channel.")]
    contribution: Annotated[
        float,
        Meta(
            ge=0,
            description="reconstruction: what the channel adds to the peak score; all channels together add up to it. "
            "frozen: for how many samples it has kept its value.",
        ),
    ]
    share: Annotated[float, Meta(ge=0, description="contribution / peak score, rounded to six decimals.")]
    seen: Annotated[
        float | None,
        Meta(description="Value of the channel at the peak, or that it keeps, in its own unit; null when missing."),
    ]
    expected: Annotated[
        float | None,
        Meta(
            description="What was expected in its place, in the same unit: what the score compares with, a prediction "
            "if there is one; null for other kinds."
        ),
    ]


class ModelDetail(msgspec.Struct, frozen=True):
    """The model that scored the sample that caused this event."""

    digest: Annotated[str, Meta(description="SHA-256 of the bundle's manifest.")]
    version: Annotated[str, Meta(description="Short version of the bundle, for people.")]


class SourceDetail(msgspec.Struct, frozen=True):
    """Where in the input the incident is found."""

    cluster: Annotated[str, Meta(description="Id of the Kafka cluster, or digest of the replayed file.")]
    topic: Annotated[str, Meta(description="Input topic, or name of the replayed file.")]
    partition: Annotated[int, Meta(ge=0, description="Partition of the input topic; 0 for a file.")]
    first_offset: Annotated[
        int,
        Meta(
            description="reconstruction: offset of the oldest record in the window of the first sample above the "
            "threshold. silence: opened_offset. frozen: offset of the first record with the value."
        ),
    ]
    opened_offset: Annotated[
        int,
        Meta(description="Offset of the record with which the incident opened; silence: one of another series."),
    ]
    last_offset: Annotated[int, Meta(description="Offset of the record that caused this event.")]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an incident. Each event tells the whole incident so far, so the latest one is enough to know it."""

    schema_version: Annotated[Literal[2], Meta(description="Version of this format.")] = SCHEMA_VERSION
    event_id: Annotated[_Id, Meta(description="The same event has the same id, however often it is delivered.")]
    incident_id: Annotated[_Id, Meta(description="Shared by all events of an incident.")]
    event: Annotated[EventName, Meta(description="The step: every incident is opened once and closed once at most.")]
    sequence: Annotated[int, Meta(ge=0, description="0 for opened, then counting up within the incident.")]
    kind: Annotated[
        Kind,
        Meta(
            description="What was found. reconstruction: the model cannot reproduce the data. silence: the series "
            "stopped. frozen: channels keep one value for longer than ever in training."
        ),
    ]
    stream: Annotated[str, Meta(description="Name of the stream in the worker's settings.")]
    series: Annotated[str, Meta(description="Name of the series; also the record's key.")]
    severity: Annotated[
        Severity,
        Meta(
            description="reconstruction: by the peak so far. silence, frozen: by the length so far, warning at first. "
            "It never falls within an incident."
        ),
    ]
    started_at: Annotated[
        _Time,
        Meta(
            description="reconstruction: first sample of the run above the threshold that opened the incident. "
            "silence: last sample before it. frozen: first sample with the value."
        ),
    ]
    opened_at: Annotated[_Time, Meta(description="Event time at which the incident opened.")]
    updated_at: Annotated[_Time, Meta(description="Event time of what caused this event.")]
    peak_at: Annotated[_Time, Meta(description="Event time of the greatest score so far.")]
    ended_at: Annotated[
        _Time | None,
        Meta(
            description="closed: last sample that was not quiet; silence: first sample after it; frozen: last sample "
            "with the value. null until then."
        ),
    ]
    closed_at: Annotated[
        _Time | None, Meta(description="closed: when the incident was known to be over. null until then.")
    ]
    close_reason: Annotated[
        CloseReason | None,
        Meta(
            description="closed: quiet (enough quiet samples), gap (the series paused, its window began anew), "
            "forgotten (the series fell silent for too long), resumed (a silent series speaks again) or moved (no "
            "channel is frozen any more). null until then."
        ),
    ]
    duration_seconds: Annotated[
        float, Meta(ge=0, description="From started_at to ended_at, or to updated_at while the incident is open.")
    ]
    score: Annotated[
        float,
        Meta(
            description="reconstruction: latest score of the series. silence: its length in seconds. frozen: samples "
            "for which the channel that stands out has kept its value."
        ),
    ]
    peak_score: Annotated[float, Meta(ge=0, description="Greatest score so far.")]
    threshold: Annotated[float, Meta(gt=0, description="Scores above it are anomalous; in the unit of the score.")]
    score_over_threshold: Annotated[float, Meta(description="score / threshold.")]
    peak_score_over_threshold: Annotated[float, Meta(ge=0, description="peak_score / threshold, as of the peak.")]
    channels: Annotated[
        tuple[ChannelDetail, ...],
        Meta(
            description="reconstruction: channels that contribute most to the peak so far, greatest first. frozen: "
            "those that are or were frozen, longest first. silence: none."
        ),
    ]
    model: ModelDetail
    source: SourceDetail


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Event)


class _Versioned(msgspec.Struct):
    schema_version: int


_version_decoder = msgspec.json.Decoder(_Versioned)


def encode(event: Event) -> bytes:
    """Compact JSON in UTF-8; fields in the order of the structure; numbers that are not finite become null."""
    return _encode(event)


def decode(data: bytes) -> Event:
    """Read an event; fields that are not known are skipped, as later releases may add some.

    Raises:
        InvalidEventError: not JSON, of another schema version, or not an event; the message says which.
    """
    try:
        version = _version_decoder.decode(data).schema_version
    except (ValueError, RecursionError) as error:
        raise InvalidEventError(f"not an event: {error}") from error
    if version != SCHEMA_VERSION:
        raise InvalidEventError(
            f"an event of schema version {version}, but this release reads {SCHEMA_VERSION}; use the one that wrote it"
        )
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise InvalidEventError(f"not an event of schema version {SCHEMA_VERSION}: {error}") from error
