"""Bytes that are nearly right: valid input, damaged the way that reaches behind the first check."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

TOKENS = (
    *(
        b"",
        b"\x00",
        b"\xff",
        b"\x7f",
        b"\x80",
        b"\xc0",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xd3\x80\0\0\0\0\0\0\0",
    ),
    *(
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xcb\x7f\xf8\0\0\0\0\0\0",
        b"\xcb\x7f\xf0\0\0\0\0\0\0",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-1",
        b"0",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[[",
        b"{{",
        b'"',
        b"9" * 30,
        b"9" * 5000,
    ),
    *(
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xc2\xb2",
        b"..",
        b"/",
        b"\n",
        b"\r",
        b"\t",
        b"\x1b[2J",
        b"*a",
        b"&a",
        b"<<: *a",
        b"${",
        b"${X}",
    ),
    *(
        b"!!python/object/apply:os.system",
        b"!!binary",
        b"? ",
        b": ",
        b"- ",
        b"2026-13-45",
        b"0x1F",
        b"1:2:3",
        b"[" * 3000,
    ),
)


@st.composite
def nearly(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after up to six changes: a cut, a token, a repetition, a byte, or a piece of another seed."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, min(12, len(data) - at)))
        change = draw(st.integers(0, 5))
        if change == 0:
            data[at : at + length] = draw(st.sampled_from(TOKENS))
        elif change == 1:
            data[at : at + length] = draw(st.binary(max_size=4))
        elif change == 2:
            del data[at : at + length]
        elif change == 3:
            data[at:at] = data[at : at + length] * draw(st.integers(1, 5))
        elif change == 4:
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other)))
            data[at : at + length] = other[start : start + 12]
        elif at < len(data):
            data[at] = draw(st.integers(0, 255))
    return bytes(data[:100_000])
