"""A bound on the series in memory changes nothing but memory."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from detector.errors import InvalidRecordError, LocalStoreError
from detector.records.values import WideSample
from detector.series.cold import ColdHead, ColdKind, ColdSeries
from detector.series.eviction import Residency
from detector.series.store import SeriesStore
from tests.series.conftest import SECOND
from tests.series.test_invariance import SERIES, Log, histories, places, specs


def everything(store: SeriesStore) -> tuple[object, ...]:
    """All that a store answers about what it holds."""
    return (
        len(store),
        sorted(store),
        store.states(),
        [store.state(series) for series in sorted(store)],
        [(series in store, store.last_time_ns(series)) for series in SERIES],
        [store.snapshot(series) for series in sorted(store)],
        store.clock_state(),
        dataclasses.asdict(store.counts),
    )


@settings(max_examples=300, deadline=None)
@given(spec=specs, samples=histories(), cuts=places, restarts=places, most=st.integers(1, 3), data=st.data())
def test_a_bound_changes_nothing(spec, samples, cuts, restarts, most, data):
    forgotten = data.draw(st.dictionaries(st.integers(0, 120), st.sampled_from(SERIES), max_size=3))
    residency = Residency(most, Path(tempfile.gettempdir()))
    free, bound = SeriesStore(spec), SeriesStore(spec, residency=residency)
    logs = (Log(), Log())
    for offset, sample in enumerate(samples):
        if offset in cuts or offset in restarts:
            for log, store in zip(logs, (free, bound), strict=True):
                log.take(store)
            assert logs[0] == logs[1]
            assert everything(bound) == everything(free)
        if offset in restarts:
            moved = []
            for old, bound_of in ((free, None), (bound, residency)):
                fresh = SeriesStore(spec, residency=bound_of)
                fresh.restore_clock(old.clock_state())
                for series in sorted(old):
                    fresh.restore(series, old.snapshot(series))
                moved.append(fresh)
            free, bound = moved
        if offset in forgotten:
            free.forget(forgotten[offset])
            bound.forget(forgotten[offset])
        for log, store in zip(logs, (free, bound), strict=True):
            try:
                store.add(sample, offset)
            except InvalidRecordError as error:
                log.rejected.append((offset, error.reason, error.detail))
        assert len(bound._residents) <= most
        assert len(bound) == len(free)
    for log, store in zip(logs, (free, bound), strict=True):
        log.take(store)
    assert logs[0] == logs[1]
    assert everything(bound) == everything(free)
    assert free.evicted == 0


@pytest.fixture
def make_bounded(make_spec, tmp_path):
    def make(most: int, **spec: object) -> SeriesStore:
        return SeriesStore(make_spec(**spec), residency=Residency(most, tmp_path))

    return make


def feed_series(store: SeriesStore, numbers: range, time: int = 0) -> None:
    for number in numbers:
        store.add(WideSample(f"s{number}", (time + number) * SECOND, [float(number)]), time + number)
        if store.pending:
            store.take()


def test_those_with_the_oldest_event_time_go_a_tenth_at_a_time(make_bounded):
    store = make_bounded(20)
    feed_series(store, range(20))
    assert (store.evicted, store.evictions.evicted) == (0, 0)
    feed_series(store, range(20, 21))
    assert store.evicted == 2
    assert sorted(store._residents) == sorted(f"s{number}" for number in range(2, 21))
    store.add(WideSample("s0", 100 * SECOND, [1.0]), 100)
    assert "s0" in store._residents
    assert (store.evicted, store.evictions.evicted, store.evictions.reloaded) == (1, 2, 1)


def test_ten_thousand_new_series_leave_memory_as_it_was(make_bounded):
    store = make_bounded(100, length=4, channels=1, max_series=100_000)
    feed_series(store, range(200))
    before = store.memory_bytes()
    feed_series(store, range(200, 10_200))
    assert store.memory_bytes() == before <= 100 * (20 * 2 * 8 + 256)
    assert len(store) == 10_200 == store.evicted + len(store._residents)
    assert store.evictions.evicted == store.evicted > 10_000
    assert len(store._eviction._cold._gone) == 0
    assert store.file_bytes() > 10_000 * 50


def test_forgetting_reaches_evicted_series_in_the_order_of_their_names(make_bounded):
    store = make_bounded(2, forget_after=800)
    for number, series in enumerate(("d", "b", "ä", "a", "c")):
        store.add(WideSample(series, number * SECOND, [1.0]), number)
    assert store.evicted == 3
    store.add(WideSample("z", 2_000 * SECOND, [1.0]), 9)
    assert [reset.series for reset in store.take_resets()] == ["a", "b", "c", "d", "ä"]
    assert (len(store), store.evicted, store.counts.forgotten) == (1, 0, 5)


def test_the_file_has_no_name_and_goes_with_the_store(make_bounded, tmp_path):
    store = make_bounded(1)
    feed_series(store, range(5))
    assert (store.evicted, store.file_bytes() > 0) == (4, True)
    assert list(tmp_path.iterdir()) == []
    store.close()
    with pytest.raises(LocalStoreError, match=r"cannot be read back: .*Nothing is lost: start again.*state\.directory"):
        store.snapshot("s0")


def test_names_come_back_as_they_were(tmp_path):
    cold = ColdSeries(tmp_path)
    names = ["", "a\0b", "ü", "\ud800", "'; DROP TABLE series; --", "x" * 10_000]
    cold.put([(ColdHead(name, 0, ColdKind.FULL), name.encode("utf-8", "surrogatepass")) for name in names])
    assert set(cold) == set(names)
    for name in names:
        assert name in cold
        assert cold.get(name) == name.encode("utf-8", "surrogatepass")
    assert "a" not in cold


# -- when the disk does not take them


def fill(store: SeriesStore, pages: int) -> None:
    """Let the file of a store's evicted series not grow any more."""
    cold = store._eviction._cold
    assert cold is not None
    ((now,),) = cold._query("PRAGMA page_count")
    cold._query(f"PRAGMA max_page_count = {now + pages}")


def test_a_full_disk_leaves_series_in_memory_and_says_so(make_bounded, make_spec):
    settings_ = {"length": 64, "channels": 8, "max_series": 100_000, "forget_after": 1e9}
    store, free = make_bounded(10, **settings_), SeriesStore(make_spec(**settings_))
    rows = [WideSample(f"s{number}", (number + row) * SECOND, [number * 0.1] * 8) for row in range(3)
            for number in range(400)]  # fmt: skip
    half = len(rows) // 2
    with capture_logs() as logs:
        for offset, row in enumerate(rows):
            if offset == 50:
                fill(store, 1)
            if offset == half:
                failures, evicted = store.evictions.failures, store.evicted
                assert failures > 0
                assert len(store) == 400 == evicted + len(store._residents)
                assert evicted < 200 < len(store._residents)
                fill(store, 1 << 20)
            store.add(row, offset)
            free.add(row, offset)
    warnings = [log for log in logs if log["log_level"] == "warning"]
    assert "database or disk is full" in warnings[0]["error"]
    assert (warnings[0]["limit"], warnings[0]["in_memory"]) == (10, 10)
    assert len(warnings) <= failures.bit_length()
    # There is room again: the next new series finds the way.
    store.add(WideSample("new", 2_000 * SECOND, [0.0] * 8), len(rows))
    free.add(WideSample("new", 2_000 * SECOND, [0.0] * 8), len(rows))
    assert len(store._residents) <= 11
    assert everything(store) == everything(free)


def test_a_series_comes_back_from_a_full_disk(make_bounded):
    store = make_bounded(4, max_series=10_000)
    feed_series(store, range(3_000))
    cold = store._eviction._cold
    cold._query("PRAGMA query_only = ON")  # every write fails
    for number in range(2_000):
        store.add(WideSample(f"s{number}", (5_000 + number) * SECOND, [1.0]), 5_000 + number)
    assert store.evictions.reloaded == 2_000
    assert (len(store), store.evicted, len(cold._gone)) == (3_000, 996, 2_000)
    assert store.states() == {"warming_up": 1_002, "live": 0, "stale": 1_998}
    cold._query("PRAGMA query_only = OFF")
    feed_series(store, range(3_000, 3_600), 4_000)
    assert len(store._residents) <= 4
    assert len(cold._gone) == 0
    assert sum(store.states().values()) == len(store) == len(set(store)) == 3_600


def test_a_directory_that_vanished_leaves_series_in_memory(make_spec, tmp_path):
    store = SeriesStore(make_spec(), residency=Residency(2, tmp_path / "gone"))
    with capture_logs() as logs:
        feed_series(store, range(8))
    assert (len(store), store.evicted) == (8, 0)
    assert "No such file or directory" in logs[0]["error"]
    assert store.evictions.failures == 6
    assert len(logs) == 3  # the 1st, the 2nd and the 4th


def test_a_write_that_fails_half_way_changes_nothing(tmp_path):
    cold = ColdSeries(tmp_path)
    cold.put([(ColdHead("a", 1, ColdKind.FULL), b"1"), (ColdHead("b", 2, ColdKind.WARMING_UP), b"2")])
    cold.discard("a")
    with pytest.raises(sqlite3.IntegrityError):
        cold.put([(ColdHead("c", 3, ColdKind.FULL), b"3"), (ColdHead("b", 4, ColdKind.FULL), b"4")])
    assert (list(cold), len(cold), cold.get("b"), cold.get("a")) == (["b"], 1, b"2", None)
    assert cold.count(9) == {ColdKind.STRANGER: (0, 0), ColdKind.WARMING_UP: (1, 1), ColdKind.FULL: (0, 0)}


_LIMITED = """
import resource, sys
from pathlib import Path
from detector.records.values import WideSample
from detector.series.eviction import Residency
from detector.series.store import SeriesStore
from detector.series.spec import WindowSpec

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
far = 10**18
spec = WindowSpec(16, 8, 10, 1, 5, 0, far, far, far, 0.5, 100_000)
stores = SeriesStore(spec), SeriesStore(spec, residency=Residency(10, Path(sys.argv[1])))
for offset in range(2_000):
    for store in stores:
        row = [hash((offset, channel)) / 7.0 for channel in range(8)]
        store.add(WideSample(f"s{offset % 1000}", offset * 10, row), offset)
free, bound = stores
assert sorted(free) == sorted(bound) and free.states() == bound.states()
assert all(free.snapshot(series) == bound.snapshot(series) for series in free)
assert bound.evictions.failures and 50 < bound.evicted < 999, (bound.evictions, bound.evicted)
print("same", bound.file_bytes() <= 100_000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_real_limit_of_the_file_size_loses_nothing(tmp_path):
    ran = subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("same True\n")
    assert "disk I/O error" in ran.stdout


def test_a_bound_is_at_least_one(tmp_path):
    with pytest.raises(ValueError, match="max_series is 0, it must be at least 1"):
        Residency(0, tmp_path)
