"""A restored series goes on as if nothing had happened; what cannot be restored says why."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgspec
import pytest

from detector.records.values import WideSample
from detector.series.snapshot import OtherShapeError, SnapshotError, decode_snapshot, different_shapes, encode_snapshot
from detector.series.store import SeriesStore

WIDE = [(0, 1), (10, 2), (20, 3), (30, 4)]


def restored(store: SeriesStore, series: str = "a") -> SeriesStore:
    fresh = SeriesStore(store.spec)
    fresh.restore(series, store.snapshot(series))
    fresh.watermark_ns = store.watermark_ns
    return fresh


class TestContinuing:
    def test_the_next_row_completes_the_next_window(self, make_store, feed):
        # 0 10 20 30 | restored | 40
        store = make_store()
        feed(store, WIDE)
        assert feed(restored(store), [(40, 5)], 4).windows == ["3 4 5 @40 #4 <2"]

    def test_pending_windows_are_not_repeated(self, make_store, feed):
        store = make_store(length=1)
        feed(store, WIDE)
        assert restored(store).pending == 0

    def test_while_warming_up(self, make_store, feed):
        store = make_store()
        feed(store, WIDE[:1])
        fresh = restored(store)
        assert fresh.state("a") == "warming_up"
        assert feed(fresh, WIDE[1:], 1).windows == ["1 2 3 @20 #2 <0", "2 3 4 @30 #3 <1"]

    def test_a_live_series_is_live(self, make_store, feed):
        store = make_store()
        feed(store, WIDE)
        fresh = restored(store)
        assert fresh.state("a") == "live"
        assert fresh.last_time_ns("a") == 30_000_000_000
        assert fresh.counts == type(fresh.counts)()

    def test_last_row_decides_what_is_late(self, make_store, feed):
        store = make_store()
        feed(store, WIDE)
        assert feed(restored(store), [(30, 9), (20, 9)], 4).counts == {"late": 1, "duplicate": 1}

    def test_the_anchor_of_the_grid(self, make_store, feed):
        # anchored at 3: 34 is row 3 again, not row 4 as on a grid from 0 on with 34.9 -> 3
        store = make_store()
        feed(store, [(3, 1), (13, 2), (23, 3), (33, 4)])
        assert feed(restored(store), [(37.9, 9), (38, 5)], 4).counts == {"accepted": 1, "duplicate": 1}

    def test_the_phase_of_the_stride(self, make_store, feed):
        store = make_store(stride=3)
        feed(store, WIDE)
        assert feed(restored(store), [(40, 5), (50, 6)], 4).windows == ["4 5 6 @50 #5 <3"]

    def test_filled_rows_and_missing_values(self, make_store, feed):
        store = make_store(length=4)
        feed(store, [(0, 1), (30, 2)])
        assert feed(restored(store), [(40, 3)], 2).windows == [". . 2 3 @40 #2 <1"]

    def test_values_come_back_bit_by_bit(self, make_store, feed):
        values = [0.1 + 0.2, 1e10 + 500, 5e-324, -0.0]
        store = make_store(length=2, channels=4)
        feed(store, [(0, values)])
        fresh = restored(store)
        feed(fresh, [(10, [0.0] * 4)], 1)  # warms it up; the window is taken inside
        again = restored(store)
        again.add(*_wide(10, 1, 4))
        assert [value.hex() for value in again.take().values[0, 0].tolist()] == [value.hex() for value in values]

    def test_an_unconfirmed_jump(self, make_store, feed):
        store = make_store(max_jump=1000, forget_after=8000)
        feed(store, [(0, 1), (5000, 2)])
        fed = feed(restored(store), [(5010, 3)], 2)
        assert fed.rejected == []
        assert fed.resets == ["a gap @5010 #2 after 0"]

    def test_an_unconfirmed_jump_of_an_unknown_series(self, make_store, feed):
        store = make_store(max_jump=1000, forget_after=8000)
        feed(store, [("b", 0, 1), ("a", 5000, 2)])
        fresh = restored(store)
        assert list(fresh) == ["a"]
        assert fresh.state("a") == "warming_up"
        assert feed(fresh, [("a", 5010, 3)], 2).rejected == []

    def test_rows_under_assembly(self, make_store, feed):
        # ch 0   0  2  |        the rows at 10 and 20 are open when the snapshot is taken
        # ch 1   1     |  4
        store = make_store(length=2, channels=2, lateness=30)
        feed(store, [(0, 0, 1, "tall"), (0, 1, 2, "tall"), (10, 0, 3, "tall"), (20, 1, 6, "tall")])
        fed = feed(restored(store), [(10, 0, 9, "tall"), (10, 1, 4, "tall"), (20, 0, 5, "tall")], 4)
        assert fed.windows == ["1/2 3/4 @10 #5 <0", "3/4 5/6 @20 #6 <2"]
        assert fed.counts == {"accepted": 2, "duplicate": 1}

    def test_channels_of_the_last_assembled_row(self, make_store, feed):
        store = make_store(channels=70, length=1)
        feed(store, [(0, 69, 1, "tall"), (10, 0, 1, "tall")])
        fed = feed(restored(store), [(0, 69, 1, "tall"), (0, 68, 1, "tall")], 2)
        assert fed.counts == {"duplicate": 1, "late": 1}

    def test_a_series_that_had_only_just_been_reset(self, make_store, feed):
        # the jump is confirmed by one channel of two: no row yet, a new grid
        store = make_store(channels=2, length=1, max_jump=1000, forget_after=8000)
        feed(store, [(0, 0, 1, "tall"), (0, 1, 1, "tall"), (5000, 0, 1, "tall"), (5013, 0, 1, "tall")])
        assert feed(restored(store), [(5013, 1, 2, "tall")], 4).windows == ["1/2 @5013 #4 <3"]

    def test_restoring_takes_the_place_of_what_is_there(self, make_store, feed):
        store, other = make_store(), make_store()
        feed(store, WIDE)
        feed(other, [("a", 500, 9), ("b", 500, 9)])
        other.restore("a", store.snapshot("a"))
        assert len(other) == 2
        assert feed(other, [(40, 5)], 4).windows == ["3 4 5 @40 #4 <2"]

    def test_restoring_into_a_slot_with_rows_that_wait_to_be_written(self, make_store, feed):
        store, other = make_store(), make_store()
        feed(store, WIDE)
        feed_rows = [("b", 10 * row, 100 + row) for row in range(3)]
        for offset, (series, time, value) in enumerate(feed_rows):
            other.add(*_wide(time, offset, 1, series, value))
        other.forget("b")
        other.restore("a", store.snapshot("a"))
        fed = feed(other, [(40, 5)], 4)
        assert fed.windows == ["b: 100 101 102 @20 #2 <0", "3 4 5 @40 #4 <2"]

    def test_restoring_into_the_slot_of_a_series_that_had_not_warmed_up(self, make_store, feed):
        store, other = make_store(), make_store()
        feed(store, WIDE)
        other.add(*_wide(0, 0, 1, "b", 100))
        other.forget("b")
        other.restore("a", store.snapshot("a"))
        assert feed(other, [(40, 5)], 4).windows == ["3 4 5 @40 #4 <2"]

    def test_the_limit_of_series_binds_new_ones_only(self, make_store, feed):
        store = make_store(max_series=1)
        feed(store, WIDE)
        full = make_store(max_series=1)
        feed(full, [("b", 0, 1)])
        full.restore("a", store.snapshot("a"))
        assert len(full) == 2
        assert feed(full, [("c", 40, 1)]).rejected == ["too_many_series #0"]

    def test_nothing_to_snapshot(self, make_store):
        with pytest.raises(KeyError, match="a"):
            make_store().snapshot("a")


class TestContent:
    def test_version_1_is_still_read(self, make_store, feed):
        store = make_store()
        feed(store, WIDE)
        snapshot = decode_snapshot(store.snapshot("a"), store.spec)
        data = b"\x01" + zlib.compress(msgspec.msgpack.encode(snapshot), 1)
        fresh = make_store()
        fresh.restore("a", data)
        assert fresh.snapshot("a") == store.snapshot("a")
        assert feed(fresh, [(40, 5)], 4).windows == ["3 4 5 @40 #4 <2"]

    def test_the_same_state_gives_the_same_bytes(self, make_store, feed):
        # one store came there in one go, the other with other series, takes and a restart in between
        store = make_store()
        feed(store, WIDE)
        other = make_store()
        feed(other, [("b", 0, 1), *WIDE[:2]], -1)
        other = restored(other)
        feed(other, WIDE[2:], 2)
        assert other.snapshot("a") == store.snapshot("a")

    def test_only_the_rows_that_continue_a_window_are_kept(self, make_store, feed):
        store = make_store(length=64, channels=8)
        feed(store, [(10 * row, [float(row)] * 8) for row in range(500)])
        snapshot = decode_snapshot(store.snapshot("a"), store.spec)
        values, offsets = snapshot.arrays()
        assert values.shape == (63, 8)
        assert offsets.tolist() == list(range(437, 500))


class TestRefusal:
    @pytest.fixture
    def data(self, make_store, feed):
        store = make_store(channels=2)
        feed(store, [(0, [1.0, 2.0]), (10, [3.0, 4.0])])
        return store.snapshot("a")

    @pytest.fixture
    def refuse(self, make_store, feed):
        """Restore into a store that has the series already; it must be as before then."""

        def refuse(data, **settings):
            store = make_store(**{"channels": 2} | settings)
            feed(store, [(0, [9.0] * store.spec.channels)])
            before = store.snapshot("a")
            with pytest.raises(SnapshotError) as caught:
                store.restore("a", data)
            assert store.snapshot("a") == before
            return str(caught.value)

        return refuse

    def test_another_version(self, data, refuse):
        assert refuse(b"\x04" + data[1:]) == "the snapshot has version 4, this program reads versions 1 to 3"
        assert refuse(b"\x00" + data[1:]) == "the snapshot has version 0, this program reads versions 1 to 3"

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"length": 4}, "the snapshot was made for windows with length 3, this stream's have 4"),
            ({"channels": 3}, "the snapshot was made for windows with channels 2, this stream's have 3"),
            (
                {"period": 9},
                "the snapshot was made for windows with period_ns 10000000000, this stream's have 9000000000",
            ),
            ({"period": None}, "the snapshot was made for windows with period_ns 10000000000, this stream's have None"),
        ],
    )  # fmt: skip
    def test_another_shape(self, data, refuse, settings, message):
        assert refuse(data, **settings) == message

    def test_empty(self, refuse):
        assert refuse(b"") == "the snapshot is empty"

    @pytest.mark.parametrize("kept", [1, 2, 20, -1])
    def test_cut_off(self, data, refuse, kept):
        assert refuse(data[:kept]) == "the snapshot is damaged: it is cut off or too long"

    def test_something_behind_it(self, data, refuse):
        assert refuse(data + b"more") == "the snapshot is damaged: it is cut off or too long"

    def test_every_flipped_byte_is_found(self, data, refuse):
        for index in range(1, len(data)):
            damaged = bytearray(data)
            damaged[index] ^= 0x55
            assert refuse(bytes(damaged)).startswith("the snapshot is damaged: ")

    def test_not_the_right_structure(self, refuse):
        other = b"\x01" + zlib.compress(msgspec.msgpack.encode({"a": 1}))
        assert refuse(other) == "the snapshot is damaged: Expected `array`, got `object`"

    @pytest.mark.parametrize(
        "change",
        [
            {"rows": 1},
            {"rows": 4},
            {"rows": -1},
            {"phase": -1},
            {"key": None},
            {"last_ns": None},
            {"values": b"\0" * 16},
            {"offsets": b""},
        ],
        ids=str,
    )
    def test_parts_that_do_not_fit(self, data, refuse, make_spec, change):
        snapshot = decode_snapshot(data, make_spec(channels=2))
        damaged = encode_snapshot(msgspec.structs.replace(snapshot, **change))
        assert refuse(damaged) == "the snapshot is damaged: its parts do not fit together"


def _wide(time, offset, channels=1, series="a", value=0.0):
    return WideSample(series, time * 1_000_000_000, [float(value)] * channels), offset


def test_rows_of_other_channels_or_of_the_same_in_another_order_are_not_continued(make_spec):
    """They have as many values, and would be judged as what they are not until the window is full of new ones."""
    spec = replace(make_spec(channels=2), names=("heat", "flow"))
    store = SeriesStore(spec)
    store.add(WideSample("a", 0, (1.0, 2.0)), 0)
    data = store.snapshot("a")
    SeriesStore(spec).restore("a", data)
    for names in (("flow", "heat"), ("heat", "level")):
        other = replace(spec, names=names)
        assert other.shape != spec.shape
        with pytest.raises(OtherShapeError, match="for windows of other channels, or of the same in another order"):
            SeriesStore(other).restore("a", data)


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        (
            (64, 19, 300 * 10**9, "a"),
            (16, 9, None, "a"),
            "windows were of 64 samples of 19 channels, one every 300 s, this stream's are of 16 samples of 9 channels",
        ),
        ((8, 2, None, "a"), (8, 2, None, "b"), "windows were of other channels, or of the same in another order"),
    ],
)
def test_shapes_are_told_apart_in_words(was, now, message):
    assert different_shapes(was, now) == message
