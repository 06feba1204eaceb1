"""What a series needs to go on exactly where it stood, as bytes.

One byte of version, then zlib (level 1) over MessagePack. Rows are packed (`detector.series.packing`) and come back bit
by bit; in version 1, which is still read, they were raw little-endian float64 and int64. A window of ``length`` rows is
continued by its last ``length - 1``; no more are kept. Versions before 3 knew nothing of what a model carries along.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np
from msgspec import structs

from detector.series.assembly import Assembly, OpenRow
from detector.series.carried import FRESH, TAG_BYTES
from detector.series.jumps import Jump
from detector.series.packing import pack_floats, pack_integers, unpack_floats, unpack_integers
from detector.series.spec import WindowSpec
from detector.series.values import Float64, Int64

SNAPSHOT_VERSION = 3
_OLDEST_VERSION = 1
# Besides the rows of the window, (length - 1) * (channels + 1) * 8 bytes: rows under assembly, what a model carries
# along, and what frames them. Beyond this something else than a snapshot was compressed; zlib can unfold to a thousand
# times as much.
_ROOM_BYTES = 64 << 20
_EARLIEST_NS, _LATEST_NS = -(1 << 63), (1 << 63) - 1


class SnapshotError(Exception):
    """A snapshot cannot be used: another version, another shape of window, or damage. The message says which."""


class OtherShapeError(SnapshotError):
    """A snapshot was made for windows of another shape than this stream's."""


class OpenRowState(msgspec.Struct, frozen=True, array_like=True):
    """A row under assembly; see `detector.series.assembly.OpenRow`. Masks are little-endian, values float64."""

    key: int
    time_ns: int
    first_offset: int
    mask: bytes
    values: bytes


class SeriesSnapshot(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """State of one series.

    Attributes:
        length: Rows of a window; as `channels` and `period_ns`, to refuse a snapshot of another shape.
        channels: Values of a row.
        period_ns: Distance of two rows on the grid, or None.
        last_ns: Greatest event time accepted; None when an unconfirmed jump is all that is known of the series.
        anchor_ns: Event time at which the grid begins.
        key: Of the last row; None when there is none since the last reset.
        rows: Rows since the last reset, at most `length`.
        phase: Observed rows since the last window was due.
        values: float64[min(rows, length - 1), channels]; the last rows.
        offsets: int64[min(rows, length - 1)]; oldest record of each row.
        jump: Time and watermark of a remembered jump.
        last_mask: Channels of the last assembled row.
        open_rows: Rows under assembly.
        since: Rows since the last window; -1 when the model has read none that could be continued.
        memory_tag: `MemoryLayout.tag` of the model that carried `memory`; empty when it carries nothing.
        memory: Its record of the series after the last window; empty when there is none.
        runs: For how long each channel has kept its value, from `FreezeWatch.pack`; since version 3.
        layout: `WindowSpec.layout`; empty where it was not noted down.
    """

    length: int
    channels: int
    period_ns: int | None
    last_ns: int | None
    anchor_ns: int
    key: int | None
    rows: int
    phase: int
    values: bytes
    offsets: bytes
    jump: tuple[int, int] | None
    last_mask: bytes
    open_rows: list[OpenRowState]
    since: int = FRESH
    memory_tag: bytes = b""
    memory: bytes = b""
    runs: bytes = b""
    layout: str = ""

    def arrays(self) -> tuple[Float64, Int64]:
        """The rows' values float64[rows, channels] and offsets int64[rows]."""
        return (
            np.frombuffer(self.values, "<f8").reshape(-1, self.channels),
            np.frombuffer(self.offsets, "<i8"),
        )

    def remembered(self) -> Jump | None:
        """The unconfirmed jump."""
        return None if self.jump is None else Jump(*self.jump)

    def assembly(self) -> Assembly | None:
        """The open rows; None when the series never had any, as in the wide layout."""
        if not self.last_mask and not self.open_rows:
            return None
        rows = [
            OpenRow(
                row.key, row.time_ns, row.first_offset, _mask(row.mask), np.frombuffer(row.values, "<f8").tolist()
            )
            for row in self.open_rows
        ]  # fmt: skip
        return Assembly(rows, _mask(self.last_mask))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SeriesSnapshot).decode


def make_snapshot(
    spec: WindowSpec,
    *,
    last_ns: int | None = None,
    anchor_ns: int = 0,
    key: int | None = None,
    rows: int = 0,
    phase: int = 0,
    values: Float64 | None = None,
    offsets: Int64 | None = None,
    jump: Jump | None = None,
    assembly: Assembly | None = None,
    since: int = FRESH,
    memory_tag: bytes = b"",
    memory: bytes = b"",
    runs: bytes = b"",
) -> SeriesSnapshot:
    """Collect the state of a series; the arguments are those of `SeriesSnapshot`."""
    return SeriesSnapshot(
        length=spec.length,
        channels=spec.channels,
        period_ns=spec.period_ns,
        last_ns=last_ns,
        anchor_ns=anchor_ns,
        key=key,
        rows=rows,
        phase=phase,
        values=b"" if values is None else values.astype("<f8", copy=False).tobytes(),
        offsets=b"" if offsets is None else offsets.astype("<i8", copy=False).tobytes(),
        jump=None if jump is None else (jump.time_ns, jump.since_ns),
        last_mask=b"" if assembly is None else _mask_bytes(assembly.last_mask),
        open_rows=[
            OpenRowState(
                row.key,
                row.time_ns,
                row.first_offset,
                _mask_bytes(row.mask),
                np.array(row.values, "<f8").tobytes(),
            )
            for row in (assembly.rows if assembly else ())
        ],
        since=since,
        memory_tag=memory_tag,
        memory=memory,
        runs=runs,
        layout=spec.layout,
    )


def encode_snapshot(snapshot: SeriesSnapshot) -> bytes:
    """Bytes of a snapshot."""
    rows, channels = len(snapshot.offsets) // 8, snapshot.channels
    packed = structs.replace(
        snapshot,
        values=pack_floats(np.frombuffer(snapshot.values, "<f8").reshape(-1, channels)),
        offsets=pack_integers(np.frombuffer(snapshot.offsets, "<i8").reshape(rows, 1)),
    )
    return bytes((SNAPSHOT_VERSION,)) + zlib.compress(_encode(packed), 1)


def decode_snapshot(data: bytes, spec: WindowSpec) -> SeriesSnapshot:
    """Read a snapshot back, for windows of ``spec``.

    Raises:
        OtherShapeError: another shape.
        SnapshotError: another version, or damage.
    """
    if not data:
        raise SnapshotError("the snapshot is empty")
    version = data[0]
    if not _OLDEST_VERSION <= version <= SNAPSHOT_VERSION:
        raise SnapshotError(
            f"the snapshot has version {version}, this program reads versions {_OLDEST_VERSION} to {SNAPSHOT_VERSION}"
        )
    try:
        inflate = zlib.decompressobj()
        raw = inflate.decompress(memoryview(data)[1:], _ROOM_BYTES + spec.length * (spec.channels + 1) * 8)
        if not inflate.eof or inflate.unused_data:
            raise SnapshotError("the snapshot is damaged: it is cut off or too long")
        snapshot = _decode(raw)
        _check_shape(snapshot, spec)
        if version >= 2:
            snapshot = structs.replace(
                snapshot,
                values=unpack_floats(snapshot.values, snapshot.channels, snapshot.length),
                offsets=unpack_integers(snapshot.offsets, 1, snapshot.length),
            )
    except (zlib.error, ValueError, RecursionError) as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error
    _check_sizes(snapshot)
    return snapshot


def different_shapes(was: tuple[int, int, int | None, str], now: tuple[int, int, int | None, str]) -> str:
    """In words, how windows of two shapes differ.

    Args:
        was: Of a `WindowSpec`, as they were written.
        now: As they are needed.
    """
    if was[:3] == now[:3]:
        return "windows were of other channels, or of the same in another order"
    return f"windows were of {_in_words(was)}, this stream's are of {_in_words(now)}"


def _in_words(shape: tuple[int, int, int | None, str]) -> str:
    length, channels, period_ns, _ = shape
    period = "" if period_ns is None else f", one every {period_ns / 1e9:g} s"
    return f"{length} samples of {channels} channels{period}"


def _check_shape(snapshot: SeriesSnapshot, spec: WindowSpec) -> None:
    for name in ("length", "channels", "period_ns"):
        was, now = getattr(snapshot, name), getattr(spec, name)
        if was != now:
            raise OtherShapeError(f"the snapshot was made for windows with {name} {was}, this stream's have {now}")
    if snapshot.layout and spec.layout and snapshot.layout != spec.layout:
        raise OtherShapeError("the snapshot was made for windows of other channels, or of the same in another order")


def _check_sizes(snapshot: SeriesSnapshot) -> None:
    kept = min(snapshot.rows, snapshot.length - 1)
    row_bytes = snapshot.channels * 8
    if not (
        0 <= snapshot.rows <= snapshot.length
        and (snapshot.last_ns is not None or snapshot.rows == 0)
        and (snapshot.rows == 0) == (snapshot.key is None)
        and snapshot.phase >= 0
        and snapshot.since >= FRESH
        and len(snapshot.memory_tag) in (0, TAG_BYTES)
        and bool(snapshot.memory) == (bool(snapshot.memory_tag) and snapshot.since != FRESH)
        and all(_EARLIEST_NS <= time_ns <= _LATEST_NS for time_ns in _times(snapshot))
        and len(snapshot.values) == kept * row_bytes
        and len(snapshot.offsets) == kept * 8
        and all(len(row.values) == row_bytes for row in snapshot.open_rows)
        and all(_mask(mask) >> snapshot.channels == 0 for mask in _masks(snapshot))
        and all(before.key < row.key for before, row in pairwise(snapshot.open_rows))
    ):
        raise SnapshotError("the snapshot is damaged: its parts do not fit together")


def _times(snapshot: SeriesSnapshot) -> Iterator[int]:
    yield snapshot.anchor_ns
    yield snapshot.last_ns or 0
    yield snapshot.key or 0
    yield from snapshot.jump or ()
    for row in snapshot.open_rows:
        yield from (row.key, row.time_ns, row.first_offset)


def _masks(snapshot: SeriesSnapshot) -> Iterator[bytes]:
    yield snapshot.last_mask
    yield from (row.mask for row in snapshot.open_rows)


def _mask_bytes(mask: int) -> bytes:
    # MessagePack integers end at 64 bits, channels do not.
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")


def _mask(data: bytes) -> int:
    return int.from_bytes(data, "little")
