from __future__ import annotations

import hashlib

import pytest

from detector.alerting.dead_letter import dead_letter
from detector.records.values import PlainRecord

MIB = 1 << 20


def record(
    value: object = b"\xff{not json", key: bytes | None = b"web-1", headers=(), timestamp: int = 1_767_323_045_678
):
    return PlainRecord("telemetry", 3, 4711, timestamp, key, value, headers)


def letter(of, reason="not_json", detail="line 1 column 2", max_bytes=MIB):
    return dead_letter(of, "servers", reason, detail, max_bytes)


def test_the_record_is_kept_verbatim_with_reason_and_place():
    made = letter(record())
    assert made.key == b"web-1"
    assert made.value == b"\xff{not json"
    assert made.headers == (
        ("reconstream-reason", b"not_json"),
        ("reconstream-detail", b"line 1 column 2"),
        ("reconstream-stream", b"servers"),
        ("reconstream-topic", b"telemetry"),
        ("reconstream-partition", b"3"),
        ("reconstream-offset", b"4711"),
        ("reconstream-timestamp", b"1767323045678"),
    )


@pytest.mark.parametrize(("key", "value"), [(None, b"x"), (b"k", None), (b"", b"")])
def test_null_and_empty_stay_what_they_are(key, value):
    made = letter(record(value, key))
    assert (made.key, made.value) == (key, value)


def test_original_headers_follow_under_their_own_prefix_in_order_and_repeated():
    made = letter(record(headers=[("trace", b"\x00\x01"), ("reason", b"theirs"), ("trace", b"\x02")]))
    assert made.headers[7:] == (
        ("original.trace", b"\x00\x01"),
        ("original.reason", b"theirs"),
        ("original.trace", b"\x02"),
    )


def test_a_dead_letter_that_fails_again_keeps_both_generations():
    first = letter(record(), reason="not_json")
    second = letter(record(headers=first.headers), reason="missing_time")
    headers = dict(second.headers)
    assert headers["reconstream-reason"] == b"missing_time"
    assert headers["original.reconstream-reason"] == b"not_json"


def test_a_null_header_which_the_client_cannot_send_becomes_empty_and_is_named():
    made = letter(record(headers=[("empty", b""), ("nothing", None)]))
    assert made.headers[7:] == (
        ("reconstream-null-header", b"nothing"),
        ("original.empty", b""),
        ("original.nothing", b""),
    )


def test_a_long_detail_is_cut_between_characters():
    detail = dict(letter(record(), detail="x" * 1023 + "é" + "y").headers)["reconstream-detail"]
    assert detail == b"x" * 1023
    whole = dict(letter(record(), detail="x" * 1022 + "é").headers)["reconstream-detail"]
    assert whole == b"x" * 1022 + "é".encode()


def test_a_detail_that_quotes_broken_text_does_not_fail():
    assert dict(letter(record(), detail="a\ud800b").headers)["reconstream-detail"] == b"a?b"


def test_a_value_within_the_limit_is_whole():
    made = letter(record(b"v" * 95), max_bytes=100)  # and five of the key
    assert made.value == b"v" * 95
    assert len(made.headers) == 7


def test_a_value_beyond_the_limit_is_cut_and_described():
    value = bytes(range(256)) * 4
    made = letter(record(value), max_bytes=100)
    assert made.value == value[:95]
    assert made.headers[7:] == (
        ("reconstream-value-bytes", b"1024"),
        ("reconstream-value-sha256", hashlib.sha256(value).hexdigest().encode()),
    )


def test_headers_count_towards_the_limit():
    made = letter(record(b"v" * 100, headers=[("h", b"w" * 40)]), max_bytes=100)
    assert made.value is not None
    assert len(made.value) == 100 - len(b"web-1") - len("original.h") - 40
    assert made.headers[-1] == ("original.h", b"w" * 40)


def test_headers_beyond_the_limit_are_left_out_and_counted():
    made = letter(record(b"v" * 50, headers=[("h", b"w" * 90), ("i", b"")]), max_bytes=100)
    assert made.value == b"v" * 50
    assert made.headers[7:] == (("reconstream-headers-left-out", b"2 headers of 110 bytes"),)


def test_a_key_beyond_the_limit_is_left_out_and_described():
    made = letter(record(b"v" * 50, key=b"k" * 101), max_bytes=100)
    assert (made.key, made.value) == (None, b"v" * 50)
    assert made.headers[7:] == (
        ("reconstream-key-bytes", b"101"),
        ("reconstream-key-sha256", hashlib.sha256(b"k" * 101).hexdigest().encode()),
    )


def test_whatever_the_record_the_letter_fits():
    for key, value, header in [(0, 500, 0), (50, 500, 50), (99, 500, 500), (500, 500, 500), (100, 1, 0)]:
        made = letter(record(b"v" * value, b"k" * key, [("h", b"w" * header)]), detail="d" * 5000, max_bytes=100)
        theirs = [(name, data) for name, data in made.headers if name.startswith("original.")]
        assert len(made.key or b"") + len(made.value or b"") + sum(len(n) + len(d) for n, d in theirs) <= 100
        ours = sum(len(name) + len(data) for name, data in made.headers if not name.startswith("original."))
        assert ours <= 2048


def test_a_row_of_a_file_is_written_as_json():
    assert letter(record((1_767_323_045, [1.5, float("nan")]))).value == b"[1767323045,[1.5,null]]"


def test_bytes_of_another_type_become_bytes():
    assert letter(record(memoryview(b"abc"))).value == b"abc"
    assert letter(record(bytearray(b"abc"))).value == b"abc"
