"""What is remembered of silences and frozen channels, as bytes."""

from __future__ import annotations

import struct
import zlib

import msgspec
import pytest

from detector.alerting.events import ChannelDetail
from detector.alerting.standing import (
    STANDING_VERSION,
    Standing,
    StandingPolicy,
    StandingState,
    decode_standing,
    encode_standing,
)
from detector.series.snapshot import SnapshotError

SILENCE = Standing("a" * 32, 5, 6, 7, 8, 0, 60.5, 60.0, "warning", 7)
FROZEN = Standing("b" * 32, 5, 6, 7, 8, 1, 12.0, 10.0, "critical", 9, (ChannelDetail("flow", 12.0, 1.0, 120.0, None),))
STATE = StandingState(SILENCE, FROZEN, lagging=True)


def framed(payload: bytes) -> bytes:
    return struct.pack(">BI", STANDING_VERSION, zlib.crc32(payload)) + payload


def test_it_comes_back_as_it_was():
    assert decode_standing(encode_standing(STATE)) == STATE
    assert decode_standing(encode_standing(StandingState())) == StandingState()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x01\x00", "a snapshot of standing incidents of 2 bytes is cut off"),
        (b"\x01" + encode_standing(STATE)[1:], "a snapshot of standing incidents has version 1; this release reads 2"),
        (encode_standing(STATE)[:-1] + b"x", "bytes is damaged: its checksum does not match"),
        (framed(b"\xc1"), "a snapshot of standing incidents cannot be read: "),
    ],
)
def test_what_is_none_is_refused_with_the_reason(data, message):
    with pytest.raises(SnapshotError, match=message):
        decode_standing(data)


@pytest.mark.parametrize(
    "change",
    [{"threshold": 0.0}, {"score": float("nan")}, {"score": 0.0}, {"opened_ns": 1 << 63}, {"told_ns": 1 << 63}],
)
def test_numbers_that_would_break_an_event_are_refused(change):
    state = StandingState(msgspec.structs.replace(SILENCE, **change))
    with pytest.raises(SnapshotError, match="holds numbers that make no sense"):
        decode_standing(encode_standing(state))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0.5, 1), "critical_ratio is 0.5, it must be at least 1"),
        ((float("nan"), 1), "critical_ratio is nan, it must be at least 1"),
        ((2.0, 0), "update_every_ns is 0, it must be at least 1"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        StandingPolicy(*numbers)
