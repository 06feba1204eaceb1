"""What outlives the process: the content of the state topic and of the epochs topic, as bytes.

Keys are ``c <stream>`` for the one control record that a stream has in each partition, and ``s <stream> <series>`` for
the snapshot of a series. A stream's name has no blank, so a key can be read back without doubt. Values are
MessagePack, with a version first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from detector.errors import StateMismatchError

STATE_VERSION = 1
EPOCH_VERSION = 1


class Control(msgspec.Struct, frozen=True, array_like=True):
    """Where a partition of a stream stands. Written in every transaction that moves the partition's offset.

    Attributes:
        version: Of this structure.
        next_offset: Equal to the group's committed offset when the transaction committed; a difference is a torn one.
        replay_from: Oldest offset that any series' snapshot does not include; reading again starts here.
        watermark_ns: Greatest event time seen, or None.
        model: Digest of the bundle in use.
        fingerprint: Of the settings that shape outcomes.
        epoch_from: Offset from which model and fingerprint are in force.
        partitions: Of the input topic, at that time.
    """

    version: int
    next_offset: int
    replay_from: int
    watermark_ns: int | None
    model: str
    fingerprint: str
    epoch_from: int
    partitions: int


class SeriesState(msgspec.Struct, frozen=True, array_like=True):
    """Snapshot of one series.

    Attributes:
        version: Of this structure.
        next_offset: The snapshot includes every record of the series below this offset, and none from it on.
        windows: From `SeriesStore.snapshot`.
        incidents: From `IncidentTracker.snapshot`; None when the series is quiet.
    """

    version: int
    next_offset: int
    windows: bytes
    incidents: bytes | None


class Epoch(msgspec.Struct, frozen=True):
    """From which offset on a model and its settings shape a partition's outcomes. JSON on the epochs topic."""

    version: int
    stream: str
    topic: str
    partition: int
    from_offset: int
    model: str
    model_version: str
    fingerprint: str


T = TypeVar("T", Control, SeriesState)
_encoder = msgspec.msgpack.Encoder()
_decode_control = msgspec.msgpack.Decoder(Control).decode
_decode_series = msgspec.msgpack.Decoder(SeriesState).decode


def control_key(stream: str) -> bytes:
    """Key of a stream's control record."""
    return f"c {stream}".encode()


def series_key(stream: str, series: str) -> bytes:
    """Key of a series' snapshot."""
    return f"s {stream} {series}".encode()


def parse_key(key: bytes) -> tuple[str, str | None]:
    """Stream and series of a key; no series for the control record.

    Raises:
        StateMismatchError: somebody else writes to the state topic.
    """
    kind, _, rest = key.decode("utf-8", "replace").partition(" ")
    if kind == "c" and rest:
        return rest, None
    stream, blank, series = rest.partition(" ")
    if kind == "s" and stream and blank:
        return stream, series
    raise StateMismatchError(f"the state topic holds a foreign key {key[:80]!r}; give topics.state a topic of its own")


def encode_state(value: Control | SeriesState) -> bytes:
    """Bytes of a control record or a snapshot."""
    return _encoder.encode(value)


def decode_control(data: bytes) -> Control:
    """Read a control record.

    Raises:
        StateMismatchError: damaged, or of another version.
    """
    return _checked(_decode_control, data, "control record")


def decode_series(data: bytes) -> SeriesState:
    """Read a snapshot.

    Raises:
        StateMismatchError: damaged, or of another version.
    """
    return _checked(_decode_series, data, "snapshot")


def _checked(decode: Callable[[bytes], T], data: bytes, what: str) -> T:
    try:
        value = decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StateMismatchError(f"a {what} on the state topic is damaged or of another version: {error}") from error
    if value.version != STATE_VERSION:
        raise StateMismatchError(
            f"a {what} on the state topic has version {value.version}; this is version {STATE_VERSION}"
        )
    return value


def epoch_key(stream: str, partition: int) -> bytes:
    """Key of an epoch record."""
    return f"{stream} {partition}".encode()


def encode_epoch(epoch: Epoch) -> bytes:
    """JSON of an epoch record."""
    return msgspec.json.encode(epoch)


def decode_epoch(data: bytes) -> Epoch:
    """Read an epoch record.

    Raises:
        StateMismatchError: damaged, or of another version.
    """
    try:
        epoch = msgspec.json.decode(data, type=Epoch)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StateMismatchError(f"a record on the epochs topic cannot be read: {error}") from error
    if epoch.version != EPOCH_VERSION:
        raise StateMismatchError(f"a record on the epochs topic has version {epoch.version}, this is {EPOCH_VERSION}")
    return epoch
