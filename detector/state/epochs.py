"""From which offset on a model and its settings shape a partition's outcomes.

Whatever changes outcomes but is not in the input takes effect through such a record, committed with the first outcome
that it has a part in. Audit, and replay as it was lived, follow them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from detector.errors import StateMismatchError

EPOCH_VERSION = 2

Windows = Literal["unknown", "empty", "carried", "rebuilt"]


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force from an offset on. JSON on the epochs topic.

    Attributes:
        from_offset: First record that it has a part in.
        model: Digest of the bundle.
        model_version: Short text, for people.
        fingerprint: Of ``settings``.
        settings: The sections of the stream that shape outcomes, as `shaping_settings` gives them.
        windows: What the series' windows held at ``from_offset``: nothing (``empty``), what they held before
            (``carried``), or the records from ``windows_from`` on (``rebuilt``, when the shape of a window changed).
        windows_from: For ``rebuilt``; else equal to ``from_offset``.
        under_way: Series -> runs above the threshold and open incidents that were taken over, as
            `IncidentTracker.snapshot` gives them.
        memory_from: First record from which what the model carries along each series has been carried on. Equal to
            ``from_offset``: every series began anew, as under another model. Of earlier releases, -1: no model carried
            anything.
        written_ms: Wall time, milliseconds since the epoch of Unix.
    """

    version: int
    stream: str
    topic: str
    partition: int
    from_offset: int
    model: str
    model_version: str
    fingerprint: str
    settings: dict[str, Any] = {}
    windows: Windows = "unknown"
    windows_from: int = -1
    under_way: dict[str, bytes] = {}
    memory_from: int = -1
    written_ms: int = 0


_decode = msgspec.json.Decoder(Epoch).decode


def encode_epoch(epoch: Epoch) -> bytes:
    """JSON of an epoch record."""
    return msgspec.json.encode(epoch)


def decode_epoch(data: bytes) -> Epoch:
    """Read an epoch record, of this version or the one before.

    Raises:
        StateMismatchError: damaged, or of a newer version.
    """
    try:
        epoch = _decode(data)
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, but none of msgspec's
        raise StateMismatchError(f"a record on the epochs topic cannot be read: {error}") from error
    if not 1 <= epoch.version <= EPOCH_VERSION:
        raise StateMismatchError(
            f"a record on the epochs topic has version {epoch.version}, this release reads up to {EPOCH_VERSION}; "
            "use the release that wrote it, or a newer one"
        )
    return epoch
