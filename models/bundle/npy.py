"""Arrays in numpy's file format, read without trusting their header."""

from __future__ import annotations

import io
import math
import tokenize

import numpy as np
import numpy.typing as npt


def read_npy(data: bytes, row_shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Read float32[n, *row_shape] in C order.

    ``numpy.load`` makes room for whatever the header says before it looks how much there is; here the header must
    account for every byte.

    Args:
        data: Of the file.
        row_shape: All axes but the first.

    Raises:
        ValueError: it is another array, or none.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    # Besides ValueError, what the parser of the header's Python literal may raise.
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ValueError(f"it is not an array ({str(error)[:100]})") from error
    if dtype.hasobject:
        raise ValueError("it is not an array of numbers, but of Python objects")
    if version != (1, 0) or dtype != np.dtype("<f4") or fortran or len(shape) < 1 or shape[1:] != row_shape:
        raise ValueError(f"{str(dtype)[:40]}{str(list(shape))[:60]} does not fit the model")
    if shape[0] < 1 or shape[0] * math.prod(row_shape) * 4 != len(data) - stream.tell():
        raise ValueError(f"it does not have the size that it says, {str(list(shape))[:60]}")
    return np.frombuffer(data, "<f4", offset=stream.tell()).reshape(shape).astype(np.float32)
