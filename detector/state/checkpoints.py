"""A partition's whole state, kept on the epochs topic for as long as replay should reach.

A checkpoint is written piece by piece over several commits, so that none of them is held up. Its series were taken at
different offsets, from ``begun_offset`` to ``control.next_offset``, and each says at which. It is restored as the state
topic is: series first, then the records from ``begun_offset`` to ``control.next_offset`` are read again, silently, each
series passing over those that it holds already. This is what databases call a fuzzy checkpoint (Mohan et al., ARIES,
ACM TODS 17(1), 1992).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from detector.errors import StateMismatchError
from detector.state.records import Control

CHECKPOINT_VERSION = 1


class CheckpointPart(msgspec.Struct, frozen=True, array_like=True):
    """Some series of a checkpoint. Of a series that is in several parts the last one counts.

    Attributes:
        begun_offset: Which checkpoint of the partition it belongs to.
        series: Names, each with its encoded `SeriesState`.
    """

    version: int
    begun_offset: int
    series: list[tuple[str, bytes]]


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """Says that a checkpoint is complete.

    Attributes:
        begun_offset: From here on records are read again.
        parts: How many records hold its series.
        control: As on the state topic when the last part was written; ``next_offset`` is where outcomes are certain.
    """

    version: int
    stream: str
    topic: str
    partition: int
    begun_offset: int
    parts: int
    control: Control


T = TypeVar("T", Checkpoint, CheckpointPart)
_encoder = msgspec.msgpack.Encoder()
_decode_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode
_decode_part = msgspec.msgpack.Decoder(CheckpointPart).decode


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Bytes of the record that completes a checkpoint."""
    return _encoder.encode(checkpoint)


def encode_part(part: CheckpointPart) -> bytes:
    """Bytes of a part."""
    return _encoder.encode(part)


def decode_checkpoint(data: bytes) -> Checkpoint:
    """Read the record that completes a checkpoint.

    Raises:
        StateMismatchError: damaged, or of another version.
    """
    return _checked(_decode_checkpoint, data)


def decode_part(data: bytes) -> CheckpointPart:
    """Read a part.

    Raises:
        StateMismatchError: damaged, or of another version.
    """
    return _checked(_decode_part, data)


def _checked(decode: Callable[[bytes], T], data: bytes) -> T:
    try:
        value = decode(data)
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, but none of msgspec's
        raise StateMismatchError(f"a checkpoint on the epochs topic cannot be read: {error}") from error
    if value.version != CHECKPOINT_VERSION:
        raise StateMismatchError(
            f"a checkpoint on the epochs topic has version {value.version}, this release reads {CHECKPOINT_VERSION}"
        )
    return value
