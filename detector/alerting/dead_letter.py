"""Bad input is kept: its bytes verbatim, and in headers why it is bad and where it was.

Our headers are named ``reconstream-...``; those of the original record follow under ``original.<name>``, so that
neither can be taken for the other, and a dead letter that is fed back and fails again keeps both generations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from detector.records.values import Record

HEADER_PREFIX = "reconstream-"
ORIGINAL_PREFIX = "original."
DETAIL_BYTES = 1024

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record for the dead-letter topic.

    Attributes:
        key: Of the original record.
        value: Of the original record; shortened when the headers say so.
        headers: Reason, place and the original headers.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter(record: Record, stream: str, reason: str, detail: str, max_bytes: int) -> DeadLetter:
    """Dead letter of a record.

    Headers: ``reconstream-reason``, ``-detail`` (at most 1 KB), ``-stream``, ``-topic``, ``-partition``, ``-offset``,
    ``-timestamp`` (milliseconds since the epoch, -1 when unknown). A value that is too large loses its end, and
    ``reconstream-value-bytes`` and ``reconstream-value-sha256`` describe the whole. In the rare case that the key
    by itself is too large, it is left out and described the same way; original headers that are too large are left
    out and counted in ``reconstream-headers-left-out``. Original headers whose value is null get an empty one, since
    the client cannot send null, and are named in ``reconstream-null-header``.

    Args:
        record: The original. A value that is not bytes (a row of a replayed file) is written as JSON.
        stream: Name of the stream.
        reason: Short and stable; a metric label.
        detail: For people.
        max_bytes: Most bytes of key, original headers and value together; our own headers take up to 2 KB more.
    """
    headers: list[tuple[str, bytes]] = [
        _text("reason", reason),
        _text("detail", _cut(detail, DETAIL_BYTES)),
        _text("stream", stream),
        _text("topic", record.topic),
        _text("partition", str(record.partition)),
        _text("offset", str(record.offset)),
        _text("timestamp", str(record.timestamp)),
    ]
    room = max_bytes
    key = record.key
    if key is not None:
        if len(key) > room:
            headers += _described("key", key)
            key = None
        else:
            room -= len(key)
    originals, nulls = _originals(record.headers)
    size = sum(len(name.encode("utf-8", "replace")) + len(value) for name, value in (*originals, *nulls))
    if size > room:
        headers.append(_text("headers-left-out", f"{len(originals)} headers of {size} bytes"))
        originals = nulls = ()
    else:
        room -= size
    value = _bytes(record.value)
    if value is not None and len(value) > room:
        headers += _described("value", value)
        value = value[:room]
    return DeadLetter(key=key, value=value, headers=(*headers, *nulls, *originals))


def _text(name: str, text: str) -> tuple[str, bytes]:
    return HEADER_PREFIX + name, text.encode("utf-8", "replace")


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode("utf-8", "replace")
    # A character that the cut splits is dropped whole.
    return text if len(data) <= most_bytes else data[:most_bytes].decode("utf-8", "ignore")


def _described(what: str, data: bytes) -> list[tuple[str, bytes]]:
    return [_text(f"{what}-bytes", str(len(data))), _text(f"{what}-sha256", hashlib.sha256(data).hexdigest())]


def _originals(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, Headers]:
    """The original headers renamed, and a note of those whose value is null: the client cannot send such a header."""
    renamed = tuple((ORIGINAL_PREFIX + name, value or b"") for name, value in headers)
    nulls = tuple(_text("null-header", name) for name, value in headers if value is None)
    return renamed, nulls


def _bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return msgspec.json.encode(value, enc_hook=str)
