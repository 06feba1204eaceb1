"""Values and keys of the state topic and of the epochs topic."""

from __future__ import annotations

import msgspec
import pytest

from detector.errors import StateMismatchError
from detector.series.watermark import Claim, ClockState
from detector.state import (
    CHECKPOINT_VERSION,
    EPOCH_VERSION,
    STATE_VERSION,
    Checkpoint,
    CheckpointPart,
    Control,
    Epoch,
    EpochKey,
    SeriesState,
    UnreadableStateError,
    control_key,
    decode_checkpoint,
    decode_control,
    decode_epoch,
    decode_part,
    decode_series,
    encode_checkpoint,
    encode_epoch,
    encode_part,
    encode_state,
    epoch_key,
    parse_epoch_key,
    parse_key,
    series_key,
)

NOW_NS = 1_700_000_000_000_000_000
CLOCK = ClockState(NOW_NS, "pump-1", NOW_NS - 1, 3, Claim("pump-2", 2 * NOW_NS, None, 1, 0))
CONTROL = Control(STATE_VERSION, 120, 90, NOW_NS, "m" * 64, "f" * 64, 3, 4, CLOCK, 2, 1_700_000)
EPOCH = Epoch(
    version=EPOCH_VERSION, stream="pumps", topic="in", partition=1, from_offset=7, model="m", model_version="1",
    fingerprint="f", settings={"window": {"stride": 2}}, windows="rebuilt", windows_from=3,
    under_way={"a": b"\x00\xff"}, written_ms=5,
)  # fmt: skip


def test_what_is_written_is_read_back() -> None:
    series = SeriesState(STATE_VERSION, 120, b"windows", None)
    checkpoint = Checkpoint(CHECKPOINT_VERSION, "pumps", "in", 1, 90, 2, CONTROL)
    part = CheckpointPart(CHECKPOINT_VERSION, 90, [("a", encode_state(series)), ("b/ä", b"")])
    assert decode_control(encode_state(CONTROL)) == CONTROL
    assert decode_series(encode_state(series)) == series
    assert decode_epoch(encode_epoch(EPOCH)) == EPOCH
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint
    assert decode_part(encode_part(part)) == part


def test_the_version_before_is_read() -> None:
    first = msgspec.msgpack.encode([1, 120, 90, 5, "m", "f", 3, 4])
    assert decode_control(first) == Control(1, 120, 90, 5, "m", "f", 3, 4, None, 0, 0)
    assert decode_series(msgspec.msgpack.encode([1, 120, b"w", b"i"])) == SeriesState(1, 120, b"w", b"i")
    epoch = decode_epoch(
        b'{"version":1,"stream":"s","topic":"t","partition":0,"from_offset":0,"model":"m","model_version":"v",'
        b'"fingerprint":"f"}'
    )
    assert (epoch.windows, epoch.under_way, epoch.settings) == ("unknown", {}, {})


@pytest.mark.parametrize("decode", [decode_control, decode_series])
@pytest.mark.parametrize("version", [0, 4, 99])
def test_another_version_can_be_told_from_damage(decode: object, version: int) -> None:
    # Whatever else such a record holds: only its first field is looked at.
    data = msgspec.msgpack.encode([version, {"of": "another shape"}])
    with pytest.raises(UnreadableStateError, match=rf"has version {version}; this release reads 1 to 3"):
        decode(data)  # type: ignore[operator]


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x90", b"\x91\xa1x", msgspec.msgpack.encode([2, "no offset"])])
@pytest.mark.parametrize("decode", [decode_control, decode_series])
def test_damage_is_said(decode: object, data: bytes) -> None:
    with pytest.raises(StateMismatchError, match=r"on the state topic is damaged") as caught:
        decode(data)  # type: ignore[operator]
    assert not isinstance(caught.value, UnreadableStateError)


def test_damage_on_the_epochs_topic_is_said() -> None:
    with pytest.raises(StateMismatchError, match="epochs topic cannot be read"):
        decode_epoch(b"{}")
    with pytest.raises(StateMismatchError, match=r"has version 3, this release reads up to 2; use the release"):
        decode_epoch(encode_epoch(msgspec.structs.replace(EPOCH, version=3)))
    with pytest.raises(StateMismatchError, match="checkpoint on the epochs topic cannot be read"):
        decode_part(b"\x90")
    with pytest.raises(StateMismatchError, match=r"checkpoint .* has version 9, this release reads 1"):
        decode_part(encode_part(CheckpointPart(9, 0, [])))


def test_keys_can_be_read_back() -> None:
    assert parse_key(control_key("pumps")) == ("pumps", None)
    assert parse_key(series_key("pumps", "hall 1/pump 2")) == ("pumps", "hall 1/pump 2")
    assert parse_epoch_key(epoch_key("p", "pumps", 3, 90)) == EpochKey("p", "pumps", 3, 90)
    assert parse_epoch_key(b"pumps 3") is None  # as the first version wrote it


@pytest.mark.parametrize("key", [b"", b"x", b"q pumps 1 2", b"e pumps one 2"])
def test_a_foreign_key_is_said(key: bytes) -> None:
    with pytest.raises(StateMismatchError, match=r"foreign key .* give topics\.epochs a topic of its own"):
        parse_epoch_key(key)
    with pytest.raises(StateMismatchError, match=r"foreign key .* give topics\.state a topic of its own"):
        parse_key(key)
