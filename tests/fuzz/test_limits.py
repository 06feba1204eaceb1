"""Input that is small and would become large."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from detector.errors import StateMismatchError
from detector.series.snapshot import SnapshotError, decode_snapshot
from detector.state import decode_control, parse_epoch_key
from tests.fuzz.targets import SPECS


def test_a_decompression_bomb_is_not_unfolded() -> None:
    unfold = zlib.compressobj(9)
    data = b"\x01" + b"".join(unfold.compress(bytes(1 << 20)) for _ in range(400)) + unfold.flush()
    assert len(data) < 1 << 20
    tracemalloc.start()
    with pytest.raises(SnapshotError, match="cut off or too long"):
        decode_snapshot(data, SPECS[0])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 200 << 20


def test_text_that_is_not_utf8_is_damage() -> None:
    with pytest.raises(StateMismatchError, match="damaged"):
        decode_control(b"\x98\x02\x0a\x05\xc0\xa1\xff\xa1f\x01\x04")


@pytest.mark.parametrize("key", ["e s ² 1", "e s 1 " + "9" * 5000, "s ²"])
def test_keys_with_numbers_that_are_none(key: str) -> None:
    with pytest.raises(StateMismatchError, match="foreign key"):
        parse_epoch_key(key.encode())
