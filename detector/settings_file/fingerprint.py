"""Which settings shaped an outcome, as one value."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from detector.settings import StreamSettings

SHAPING = frozenset(("record", "window", "incidents", "silence", "frozen"))
"""Sections of a stream that shape its outcomes."""


def fingerprint(stream: StreamSettings) -> str:
    """SHA-256, in hex, of the settings that shape a stream's outcomes: those in `SHAPING`.

    It is part of the identity of incidents and of state. A default counts as its value, written or not, and 900 as 15m,
    so the same settings have the same fingerprint on every machine. Name, topic and model have identities of their own.
    """
    text = json.dumps(
        shaping_settings(stream), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def shaping_settings(stream: StreamSettings) -> dict[str, Any]:
    """What `fingerprint` stands for, as values that JSON can hold."""
    return stream.model_dump(mode="json", include=set(SHAPING))
