"""Keys of the state topic and of the epochs topic.

On the state topic: ``c <stream>`` is the one control record that a stream has in each partition, and ``s <stream>
<series>`` the snapshot of a series. On the epochs topic: ``<kind> <stream> <partition> <offset>``, the kinds being
``e`` for an epoch, ``p`` for a part of a checkpoint and ``k`` for a checkpoint that is complete. A stream's name has no
blank, so every key can be read back without doubt.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from detector.errors import StateMismatchError

EpochKind = Literal["e", "p", "k"]


class EpochKey(NamedTuple):
    """Key of a record on the epochs topic.

    Attributes:
        kind: ``e`` an epoch, ``p`` a part of a checkpoint, ``k`` a complete checkpoint.
        offset: From which the epoch holds, or at which the checkpoint was begun.
    """

    kind: EpochKind
    stream: str
    partition: int
    offset: int


def control_key(stream: str) -> bytes:
    """Key of a stream's control record."""
    return f"c {stream}".encode()


def series_key(stream: str, series: str) -> bytes:
    """Key of a series' snapshot."""
    return f"s {stream} {series}".encode()


def parse_key(key: bytes) -> tuple[str, str | None]:
    """Stream and series of a key of the state topic; no series for the control record.

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


def _is_number(text: str) -> bool:
    # str.isdigit() alone holds for superscripts, and int() refuses thousands of digits.
    return text.isascii() and text.isdigit() and len(text) <= 20


def epoch_key(kind: EpochKind, stream: str, partition: int, offset: int) -> bytes:
    """Key of a record on the epochs topic."""
    return f"{kind} {stream} {partition} {offset}".encode()


def parse_epoch_key(key: bytes) -> EpochKey | None:
    """Read a key of the epochs topic back; None for keys of the first version, whose values are all epochs.

    Raises:
        StateMismatchError: somebody else writes to the epochs topic.
    """
    words = key.decode("utf-8", "replace").split(" ")
    match words:
        case ["e" | "p" | "k" as kind, stream, partition, offset] if _is_number(partition) and _is_number(offset):
            return EpochKey(kind, stream, int(partition), int(offset))
        case [_, partition] if _is_number(partition):
            return None
    raise StateMismatchError(
        f"the epochs topic holds a foreign key {key[:80]!r}; give topics.epochs a topic of its own"
    )
