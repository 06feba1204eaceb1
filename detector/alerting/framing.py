"""Structures as bytes that say of which version they are and whether they are whole: version, CRC-32, MessagePack."""

from __future__ import annotations

import struct
import zlib
from typing import Final, Generic, TypeVar

import msgspec

from detector.series.snapshot import SnapshotError

State = TypeVar("State", bound=msgspec.Struct)

_HEADER: Final = struct.Struct(">BI")


class Framing(Generic[State]):
    """Turns structures of one type into bytes and back.

    Args:
        kind: The type.
        version: Of what is written, and the only one that is read; at most 255.
        what: What such bytes are, for messages.
    """

    def __init__(self, kind: type[State], version: int, what: str) -> None:
        self._version = version
        self._what = what
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(kind)

    def encode(self, state: State) -> bytes:
        """Bytes of a structure."""
        payload = self._encoder.encode(state)
        return _HEADER.pack(self._version, zlib.crc32(payload)) + payload

    def decode(self, data: bytes) -> State:
        """Read a structure.

        Raises:
            SnapshotError: of another version, or damaged; the message says which.
        """
        what = self._what
        if len(data) < _HEADER.size:
            raise SnapshotError(f"{what} of {len(data)} bytes is cut off")
        version, checksum = _HEADER.unpack_from(data)
        if version != self._version:
            raise SnapshotError(f"{what} has version {version}; this release reads {self._version}")
        payload = data[_HEADER.size :]
        if zlib.crc32(payload) != checksum:
            raise SnapshotError(f"{what} of {len(data)} bytes is damaged: its checksum does not match")
        try:
            return self._decoder.decode(payload)
        except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, but none of msgspec's
            raise SnapshotError(f"{what} cannot be read: {error}") from error
