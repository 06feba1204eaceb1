"""Values of the state topic: MessagePack, with a version first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from detector.errors import StateMismatchError
from detector.series.watermark import ClockState

STATE_VERSION = 3
_OLDEST_VERSION = 1


class UnreadableStateError(StateMismatchError):
    """State of a version that this release does not know. It has to be rebuilt from the input."""


class DamagedStateError(StateMismatchError):
    """State that no release could have written."""


class Control(msgspec.Struct, frozen=True, array_like=True):
    """Where a partition of a stream stands. Written in every transaction that moves the partition's offset.

    Version 1 ended with ``partitions``.

    Attributes:
        version: Of this structure.
        next_offset: Equal to the group's committed offset when the transaction committed; a difference is a torn one.
        replay_from: Oldest offset that any series' snapshot does not include; reading again starts here.
        watermark_ns: Greatest event time believed, or None.
        model: Digest of the bundle in use.
        fingerprint: Of the settings that shape outcomes.
        epoch_from: Offset from which model and fingerprint are in force.
        partitions: Of the input topic, at that time.
        clock: From `SeriesStore.clock_state`: all that the watermark depends on; None in version 1.
        began_partitions: Of the input topic when the group first read this partition; 0 in version 1.
        checkpointed_ms: Wall time of the last complete checkpoint, milliseconds since the epoch; 0 when there is none.
        judged_from: First record that the model in use has judged; those before it went into the windows only.
        memory: `MemoryLayout.tag` of what the model in use carries along each series; empty when it carries nothing.
        memory_from: First record from which that has been carried on. What a snapshot holds of it counts if the
            snapshot was taken behind it.
        shape: `WindowSpec.shape` of the windows; None in states of earlier releases.
    """

    version: int
    next_offset: int
    replay_from: int
    watermark_ns: int | None
    model: str
    fingerprint: str
    epoch_from: int
    partitions: int
    clock: ClockState | None = None
    began_partitions: int = 0
    checkpointed_ms: int = 0
    judged_from: int = 0
    memory: bytes = b""
    memory_from: int = 0
    shape: tuple[int, int, int | None, str] | None = None


class SeriesState(msgspec.Struct, frozen=True, array_like=True):
    """Snapshot of one series.

    Attributes:
        version: Of this structure.
        next_offset: The snapshot includes every record of the series below this offset, and none from it on.
        windows: From `SeriesStore.snapshot`; empty for a series that was forgotten.
        incidents: From `IncidentTracker.snapshot`; None when the series is quiet.
        standing: From `SeriesWatch.snapshot`; None when there is nothing to keep. Since version 3.
    """

    version: int
    next_offset: int
    windows: bytes
    incidents: bytes | None
    standing: bytes | None = None


T = TypeVar("T", Control, SeriesState)
_encoder = msgspec.msgpack.Encoder()
_decode_control = msgspec.msgpack.Decoder(Control).decode
_decode_series = msgspec.msgpack.Decoder(SeriesState).decode
_decode_any = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_version = msgspec.msgpack.Decoder(int).decode


def encode_state(value: Control | SeriesState) -> bytes:
    """Bytes of a control record or a snapshot."""
    return _encoder.encode(value)


def decode_control(data: bytes) -> Control:
    """Read a control record.

    Raises:
        UnreadableStateError: of a version that this release does not know.
        DamagedStateError: damaged.
    """
    return _checked(_decode_control, data, "control record")


def decode_series(data: bytes) -> SeriesState:
    """Read a snapshot.

    Raises:
        UnreadableStateError: of a version that this release does not know.
        DamagedStateError: damaged.
    """
    return _checked(_decode_series, data, "snapshot")


def _checked(decode: Callable[[bytes], T], data: bytes, what: str) -> T:
    # The version comes first, whatever follows it: another one may have fields of other types.
    try:
        version = _decode_version(_decode_any(data)[0])
    except (ValueError, IndexError, RecursionError) as error:
        raise DamagedStateError(f"a {what} on the state topic is damaged: {error}") from error
    if not _OLDEST_VERSION <= version <= STATE_VERSION:
        raise UnreadableStateError(
            f"a {what} on the state topic has version {version}; this release reads {_OLDEST_VERSION} to "
            f"{STATE_VERSION}"
        )
    try:
        return decode(data)
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, but none of msgspec's
        raise DamagedStateError(f"a {what} on the state topic is damaged: {error}") from error
