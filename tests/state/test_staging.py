"""What is staged comes back as a dictionary would hold it, in the order of its keys."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from detector.errors import LocalStoreError
from detector.restoring.staging import Staging

keys = st.one_of(st.sampled_from(["", "a", "b", "ä", "a\0", "\U0001f600", "\uffff"]), st.text(max_size=3))


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(keys, st.one_of(st.none(), st.binary(max_size=20))), max_size=60),
    memory_bytes=st.sampled_from([1, 30, 1000]),
)
def test_it_is_a_sorted_dictionary(steps, memory_bytes):
    staging, plain = Staging(Path(tempfile.gettempdir()), memory_bytes), dict[str, bytes]()
    for key, value in steps:
        if value is None:
            staging.discard(key)
            plain.pop(key, None)
        else:
            staging.put(key, value)
            plain[key] = value
    assert list(staging.items()) == sorted(plain.items())
    assert list(staging.items()) == sorted(plain.items())


def test_memory_is_bounded_and_more_than_a_page_comes_back(tmp_path):
    staging = Staging(tmp_path, memory_bytes=10_000)
    for number in range(3_000):
        staging.put(f"{number % 1000:04}", number.to_bytes(100, "big"))
        assert staging._recent_bytes < 10_000
        assert len(staging._recent) <= 100
    assert list(staging.items()) == [(f"{n:04}", (2_000 + n).to_bytes(100, "big")) for n in range(1000)]
    assert list(tmp_path.iterdir()) == []


def test_without_a_directory_and_on_a_full_disk_everything_stays_in_memory(tmp_path):
    nowhere, full = Staging(None, 10), Staging(tmp_path, 1_000)
    with capture_logs() as logs:
        for number in range(2_000):
            for staging in (nowhere, full):
                staging.put(str(number), bytes(100))
            if number == 100:
                full._connection.execute("PRAGMA max_page_count = 4").fetchall()
            if number == 1_500:
                full._connection.execute("PRAGMA max_page_count = 100000").fetchall()
    assert [log["log_level"] for log in logs] == ["warning"]
    assert "database or disk is full" in logs[0]["error"]
    assert list(full.items()) == list(nowhere.items()) == sorted((str(n), bytes(100)) for n in range(2_000))
    assert full._recent_bytes < 1_000


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    staging = Staging(tmp_path, memory_bytes=1)
    staging.put("a", b"1")
    staging._connection.close()
    with pytest.raises(LocalStoreError, match=r"cannot be read back: .*Nothing is lost.*worker\.state\.directory"):
        list(staging.items())
