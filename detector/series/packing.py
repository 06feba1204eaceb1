"""Rows of a window as few bytes, and back bit by bit.

What sensors and JSON give are mostly decimal numbers of a few digits. Those are kept as whole numbers: the value times
a power of ten, if dividing again gives the very bits of every value (the idea of ALP, Afroozeh, Kuffo and Boncz, SIGMOD
2024). From one row to the next only the difference is kept, as narrow as all of them allow, and the bytes of equal
weight lie together, which is what zlib makes the most of. Values of which one does not fit are kept as they are.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from detector.series.values import Float64, Int64

_RAW = 255
_MOST_DECIMALS = 6
_POWERS = tuple(10.0**decimals for decimals in range(_MOST_DECIMALS + 1))
# Up to here every whole number is a float64.
_EXACT = float(1 << 53)
_NAN_BITS = np.array(np.nan).view(np.int64)
_HEAD = struct.Struct("<BI")
_SAMPLED = 8


def pack_floats(values: Float64) -> bytes:
    """Bytes of float64[rows, channels]."""
    found = _as_whole(values)
    if found is None:
        return bytes((_RAW,)) + values.astype("<f8", copy=False).tobytes()
    decimals, whole, missing = found
    flags = b"" if missing is None else np.packbits(missing).tobytes()
    return bytes((decimals,)) + pack_integers(whole) + flags


def unpack_floats(data: bytes, channels: int, most_rows: int) -> bytes:
    """Little-endian float64 of the rows, one after the other.

    Raises:
        ValueError: the data is damaged.
    """
    if not data:
        raise ValueError("values are missing")
    if data[0] == _RAW:
        return data[1:]
    decimals, body = data[0], memoryview(data)[1:]
    if decimals > _MOST_DECIMALS:
        raise ValueError(f"values have {decimals} decimals")
    end = _length(body, channels)
    values = _integers(body[:end], channels, most_rows) / _POWERS[decimals]
    flags = body[end:]
    if flags:
        if len(flags) != -(-values.size // 8):
            raise ValueError("flags do not fit the rows")
        missing = np.unpackbits(np.frombuffer(flags, np.uint8), count=values.size)
        values[missing.reshape(values.shape).view(np.bool_)] = np.nan
    found: bytes = values.astype("<f8", copy=False).tobytes()
    return found


def pack_integers(numbers: Int64) -> bytes:
    """Bytes of int64[rows, columns]."""
    rows = len(numbers)
    if not rows:
        return _HEAD.pack(1, 0)
    steps = np.diff(numbers, axis=0)
    least, most = (int(steps.min()), int(steps.max())) if steps.size else (0, 0)
    width = next(width for width in (1, 2, 4, 8) if -(1 << (8 * width - 1)) <= least and most < 1 << (8 * width - 1))
    # By column, so that neighbours are differences of one channel.
    narrow = np.ascontiguousarray(steps.T, f"<i{width}")
    shuffled = narrow.view(np.uint8).reshape(-1, width).T
    first: bytes = numbers[0].astype("<i8", copy=False).tobytes()
    return _HEAD.pack(width, rows) + first + shuffled.tobytes()


def unpack_integers(data: bytes, columns: int, most_rows: int) -> bytes:
    """Little-endian int64 of the rows, one after the other.

    Raises:
        ValueError: the data is damaged.
    """
    found: bytes = _integers(memoryview(data), columns, most_rows).astype("<i8", copy=False).tobytes()
    return found


def _length(data: memoryview, columns: int) -> int:
    if len(data) < _HEAD.size:
        raise ValueError("rows are cut off")
    width, rows = _HEAD.unpack_from(data)
    return int(_HEAD.size + (8 * columns + (rows - 1) * columns * width if rows else 0))


def _integers(data: memoryview, columns: int, most_rows: int) -> Int64:
    expected = _length(data, columns)
    width, rows = _HEAD.unpack_from(data)
    steps = max(0, rows - 1) * columns
    if width not in (1, 2, 4, 8) or rows > most_rows or len(data) != expected:
        raise ValueError("rows do not fit their number")
    numbers = np.empty((rows, columns), np.int64)
    if rows:
        numbers[0] = np.frombuffer(data, "<i8", columns, _HEAD.size)
        shuffled = np.frombuffer(data, np.uint8, steps * width, _HEAD.size + 8 * columns).reshape(width, steps)
        narrow = np.ascontiguousarray(shuffled.T).view(f"<i{width}").reshape(columns, rows - 1)
        numbers[1:] = narrow.T
        np.cumsum(numbers, axis=0, out=numbers)
    return numbers


def _as_whole(values: Float64) -> tuple[int, Int64, npt.NDArray[np.bool_] | None] | None:
    """Decimals, whole numbers, and where nothing was observed; None if the values are no short decimals."""
    missing = None
    absent = np.isnan(values)
    if absent.any():
        if (values.view(np.int64)[absent] != _NAN_BITS).any():
            return None
        missing = absent
        values = np.where(absent, 0.0, values)
    flat = values.ravel()
    sample = flat[:: max(1, flat.size // _SAMPLED)].tolist()
    decimals = 0
    for value in sample:  # a few values tell most powers apart
        while not _is_whole(value, _POWERS[decimals]):
            decimals += 1
            if decimals > _MOST_DECIMALS:
                return None
    for power in _POWERS[decimals:]:
        whole = _fitting(flat, power)
        if whole is not None:
            return _POWERS.index(power), whole.reshape(values.shape), missing
    return None


def _is_whole(value: float, power: float) -> bool:
    scaled = value * power
    return abs(scaled) < _EXACT and round(scaled) / power == value


def _fitting(values: Float64, power: float) -> Int64 | None:
    with np.errstate(over="ignore"):
        scaled = np.rint(values * power)
    if not (np.abs(scaled) < _EXACT).all():
        return None
    whole = scaled.astype(np.int64)
    return whole if ((whole / power).view(np.int64) == values.view(np.int64)).all() else None
