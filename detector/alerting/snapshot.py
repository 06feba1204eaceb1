"""A series' incident state as bytes: version, checksum, MessagePack."""

from __future__ import annotations

import struct
import zlib

import msgspec

from detector.alerting.evidence import Evidence, Opened
from detector.alerting.lifecycle import Lifecycle
from detector.series.snapshot import SnapshotError

SNAPSHOT_VERSION = 1
_HEADER = struct.Struct(">BI")


class TrackState(msgspec.Struct, array_like=True):
    """Everything that is needed to go on with a series exactly.

    Attributes:
        lifecycle: Always.
        evidence: While a run above the threshold or an incident is under way.
        opened: While an incident is open.
    """

    lifecycle: Lifecycle
    evidence: Evidence | None = None
    opened: Opened | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TrackState).decode


def encode_track(state: TrackState) -> bytes:
    """Bytes of a state."""
    payload = _encode(state)
    return _HEADER.pack(SNAPSHOT_VERSION, zlib.crc32(payload)) + payload


def decode_track(data: bytes) -> TrackState:
    """Read a state.

    Raises:
        SnapshotError: of another version, damaged, or contradicting itself; the message says which.
    """
    if len(data) < _HEADER.size:
        raise SnapshotError(f"an incident snapshot of {len(data)} bytes is cut off")
    version, checksum = _HEADER.unpack_from(data)
    if version != SNAPSHOT_VERSION:
        raise SnapshotError(f"an incident snapshot has version {version}; this release reads {SNAPSHOT_VERSION}")
    payload = data[_HEADER.size :]
    if zlib.crc32(payload) != checksum:
        raise SnapshotError(f"an incident snapshot of {len(data)} bytes is damaged: its checksum does not match")
    try:
        state = _decode(payload)
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, but none of msgspec's
        raise SnapshotError(f"an incident snapshot cannot be read: {error}") from error
    lifecycle = state.lifecycle
    if (state.opened is not None) != lifecycle.is_open or (state.evidence is not None) != lifecycle.under_way:
        raise SnapshotError("an incident snapshot contradicts itself")
    return state
