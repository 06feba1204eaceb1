"""Jumps, forgetting, the watermark, room for series, and what is told about them."""

from __future__ import annotations

import pytest

from detector.errors import InvalidRecordError
from detector.records.values import WideSample

SECOND = 1_000_000_000
JUMPY = {"max_jump": 1000, "forget_after": 8000}


class TestJumps:
    def test_a_confirmed_jump_resets_and_goes_on_there(self, make_store, feed):
        # 0 10 20 | 5000x 5010 5020 5030      5010 confirms 5000, which itself is lost
        fed = feed(
            make_store(**JUMPY), [(0, 1), (10, 2), (20, 3), (5000, 4), (5010, 5), (5020, 6), (5030, 7)]
        )  # fmt: skip
        assert fed.rejected == ["unconfirmed_jump #3"]
        assert fed.resets == ["a gap @5010 #4 after 1"]
        assert fed.windows == ["1 2 3 @20 #2 <0", "5 6 7 @5030 #6 <4"]
        assert fed.counts == {"accepted": 6, "resets_gap": 1}

    def test_a_single_wrong_clock_leaves_no_trace(self, make_store, feed):
        # 0 10 5000x 20
        store = make_store(**JUMPY)
        fed = feed(store, [(0, 1), (10, 2), (5000, 9), (20, 3)])
        assert fed.rejected == ["unconfirmed_jump #2"]
        assert fed.windows == ["1 2 3 @20 #3 <0"]
        assert store.watermark_ns == 20 * SECOND
        without = make_store(**JUMPY)
        feed(without, [(0, 1), (10, 2)])
        feed(without, [(20, 3)], 3)
        assert store.snapshot("a") == without.snapshot("a")

    def test_a_normal_sample_in_between_makes_the_next_jump_a_first_one(self, make_store, feed):
        fed = feed(make_store(**JUMPY), [(0, 1), (5000, 9), (10, 2), (5010, 9), (20, 3)])
        assert fed.rejected == ["unconfirmed_jump #1", "unconfirmed_jump #3"]
        assert fed.windows == ["1 2 3 @20 #4 <0"]

    def test_a_late_sample_in_between_does_so_too(self, make_store, feed):
        fed = feed(make_store(**JUMPY), [(10, 1), (5000, 9), (0, 2), (5010, 9)])
        assert fed.rejected == ["unconfirmed_jump #1", "unconfirmed_jump #3"]
        assert fed.counts == {"accepted": 1, "late": 1}

    @pytest.mark.parametrize(
        ("second", "rejected"),
        [
            pytest.param(6000, [1], id="as far after it as may be"),
            pytest.param(4000, [1], id="as far before it as may be"),
            pytest.param(6001, [1, 2], id="too far after it"),
            pytest.param(3999, [1, 2], id="too far before it"),
            pytest.param(5000, [1, 2], id="the same record again confirms nothing"),
            pytest.param(5004.9, [1, 2], id="nor does a sample of the same row"),
            pytest.param(5005, [1], id="half a row apart is another reading"),
        ],
    )
    def test_what_confirms(self, make_store, feed, second, rejected):
        fed = feed(make_store(**JUMPY), [(0, 1), (5000, 2), (second, 3)])
        assert fed.rejected == [f"unconfirmed_jump #{offset}" for offset in rejected]

    def test_without_a_period_any_other_time_confirms(self, make_store, feed):
        fed = feed(make_store(period=None, **JUMPY), [(0, 1), (5000, 2), (5000, 3), (5000.001, 4)])
        assert fed.rejected == ["unconfirmed_jump #1", "unconfirmed_jump #2"]

    def test_a_series_of_wrong_clocks_is_refused_each_time(self, make_store, feed):
        fed = feed(make_store(**JUMPY), [(0, 1), (1e6, 2), (2e6, 3), (3e6, 4), (10, 5), (20, 6)])
        assert fed.rejected == [f"unconfirmed_jump #{offset}" for offset in (1, 2, 3)]
        assert fed.windows == ["1 5 6 @20 #5 <0"]

    def test_exactly_the_limit_is_no_jump(self, make_store, feed):
        assert feed(make_store(**JUMPY), [(0, 1), (1000, 2)]).rejected == []
        assert feed(make_store(**JUMPY), [(0, 1), (1000.001, 2)]).rejected == ["unconfirmed_jump #1"]

    def test_a_new_series_is_held_against_the_watermark(self, make_store, feed):
        store = make_store(**JUMPY)
        fed = feed(store, [("a", 0, 1), ("b", 5000, 1), ("c", 1000, 1), ("b", 5010, 2), ("b", 5020, 3), ("b", 5030, 4)])
        assert fed.rejected == ["unconfirmed_jump #1"]
        assert fed.windows == ["b: 2 3 4 @5030 #5 <3"]
        assert fed.resets == []

    def test_an_unconfirmed_jump_does_not_move_the_watermark(self, make_store, feed):
        store = make_store(**JUMPY)
        feed(store, [("a", 0, 1), ("a", 5000, 1), ("b", 6000, 1)])
        assert store.watermark_ns == 0
        feed(store, [("a", 5010, 1)], 3)
        assert store.watermark_ns == 5010 * SECOND

    def test_the_first_sample_of_a_partition_is_believed(self, make_store, feed):
        assert feed(make_store(**JUMPY), [(1e9, 1)]).rejected == []

    def test_an_unknown_series_with_a_jump_is_warming_up(self, make_store, feed):
        store = make_store(**JUMPY)
        feed(store, [("a", 0, 1), ("b", 5000, 1)])
        assert "b" in store
        assert list(store) == ["a", "b"]
        assert len(store) == 2
        assert store.state("b") == "warming_up"
        assert store.last_time_ns("b") is None
        assert store.states() == {"warming_up": 2, "live": 0, "stale": 0}

    def test_tall_rows_that_were_open_are_placed_before_a_confirmed_jump(self, make_store, feed):
        fed = feed(
            make_store(length=2, channels=2, **JUMPY),
            [
                *[(0, 0, 1, "tall"), (0, 1, 2, "tall"), (10, 0, 3, "tall")],
                *[(5000, 0, 9, "tall"), (5000, 1, 9, "tall"), (5010, 0, 5, "tall"), (5010, 1, 6, "tall")],
            ],
        )
        assert fed.rejected == ["unconfirmed_jump #3", "unconfirmed_jump #4"]
        assert fed.windows == ["1/2 3/. @10 #5 <0"]
        assert fed.resets == ["a gap @5010 #5 after 1"]

    def test_message(self, make_store, feed):
        store = make_store(max_jump=90)
        feed(store, [(0, 1)])
        with pytest.raises(InvalidRecordError) as caught:
            store.add(WideSample("a", 100 * SECOND, [1.0]), 1)
        assert caught.value.reason == "unconfirmed_jump"
        assert caught.value.detail == (
            "series 'a' steps 100 s ahead, more than 90 s (window.max_jump_seconds); "
            "the next sample decides whether that is believed"
        )


class TestForgetting:
    # forget_after 800 s: the watermark is looked at when it reaches a multiple of 100 s.

    def test_silent_series_are_forgotten_with_the_record_that_moved_the_watermark(self, make_store, feed):
        # a at 0, c at 50, b moves on: 890 is beyond 800 + 50 but no multiple of 100 has passed since 810
        store = make_store(forget_after=800, max_gap=1000)
        fed = feed(store, [("b", 0, 1), ("c", 50, 1), ("a", 0, 1), ("b", 400, 1), ("b", 810, 1), ("b", 890, 1)])
        assert fed.resets == ["a forgotten @810 #4 after 1"]
        assert "c" in store
        assert feed(store, [("b", 900, 1)], 6).resets == ["c forgotten @900 #6 after 0"]
        assert list(store) == ["b"]
        assert store.counts.forgotten == 2

    def test_order_is_by_name(self, make_store, feed):
        fed = feed(make_store(forget_after=800), [("d", 0, 1), ("b", 0, 1), ("c", 0, 1), ("z", 900, 1)])
        assert [line.split()[0] for line in fed.resets] == ["b", "c", "d"]

    def test_exactly_the_limit_is_kept(self, make_store, feed):
        fed = feed(make_store(forget_after=800), [("a", 0, 1), ("b", 800, 1)])
        assert fed.resets == []

    @pytest.mark.parametrize("other", [[], [("b", 700, 1), ("b", 900, 1)]], ids=["not swept", "swept"])
    def test_a_series_that_comes_back_is_as_new(self, make_store, feed, other):
        # 0 10 20 ... 821 831 841: 801 s of silence; swept before it came back or not
        store = make_store(forget_after=800, stride=2, max_gap=1000)
        feed(store, [("a", 0, 1), ("a", 10, 2), ("a", 20, 3), *other])
        fed = feed(store, [("a", 821, 7), ("a", 831, 8), ("a", 841, 9), ("a", 851, 10)], 100)
        assert fed.windows == ["8 9 10 @851 #103 <101"]
        assert store.counts.forgotten == 1

    def test_a_series_that_comes_back_unswept_says_so(self, make_store, feed):
        store = make_store(forget_after=800)
        fed = feed(store, [("a", 50, 1), ("b", 840, 1), ("a", 851, 1)])
        assert fed.resets == ["a forgotten @851 #2 after 0"]

    def test_without_a_period_a_long_silence_forgets(self, make_store, feed):
        fed = feed(make_store(forget_after=800, period=None), [(0, 1), (10, 2), (810, 3), (1611, 4)])
        assert fed.resets == ["a forgotten @1611 #3 after 1"]

    def test_a_series_that_comes_back_needs_no_confirmation_when_time_has_passed(self, make_store, feed):
        # b went on: a is as new, and 880 is not far from the watermark; the sweep at 805 left a, silent since 40
        samples = [("a", 40, 1), ("b", 0, 1), ("b", 450, 1), ("b", 805, 1), ("a", 880, 1)]
        fed = feed(make_store(forget_after=800, max_jump=500, max_gap=1000), samples)
        assert fed.rejected == []
        assert fed.resets == ["a forgotten @880 #4 after 2"]

    def test_all_series_come_back_after_an_outage(self, make_store, feed):
        # Nothing moved the watermark meanwhile: one sample must confirm, then all are welcome.
        store = make_store(forget_after=800, max_jump=500)
        fed = feed(store, [("a", 0, 1), ("b", 0, 1), ("a", 5000, 1), ("a", 5010, 1), ("b", 5010, 1)])
        assert fed.rejected == ["unconfirmed_jump #2"]
        assert fed.resets == ["a forgotten @5010 #3 after 0", "b forgotten @5010 #3 after 0"]

    def test_an_unconfirmed_jump_of_an_unknown_series_is_forgotten_too(self, make_store, feed):
        store = make_store(forget_after=800, max_jump=500, max_gap=1000)
        feed(store, [("a", 0, 1), ("b", 9000, 1)])
        fed = feed(store, [("a", t, 1) for t in (400, 800, 900)], 2)
        assert fed.resets == ["b forgotten @900 #4 after 2"]
        assert "b" not in store

    def test_windows_that_are_pending_survive(self, make_store, feed):
        # a's slot goes to c while a's window waits to be taken
        store = make_store(forget_after=800)
        rows = [("a", 0, 1), ("a", 10, 2), ("a", 20, 3), ("b", 900, 0)]
        fed = feed(store, rows + [("c", 900 + 10 * row, 90 + row) for row in range(30)])
        assert fed.resets == ["a forgotten @900 #3 after 1"]
        assert fed.windows[:2] == ["1 2 3 @20 #2 <0", "c: 90 91 92 @920 #6 <4"]

    def test_forget_by_hand_leaves_no_reset(self, make_store, feed):
        store = make_store(**JUMPY)
        feed(store, [("a", 0, 1), ("b", 0, 1), ("b", 5000, 1), ("c", 5000, 1)])
        for series in ("a", "c", "unknown"):
            store.forget(series)
        assert list(store) == ["b"]
        assert store.take_resets() == []
        assert feed(store, [("a", 10, 1), ("c", 5010, 1)]).rejected == ["unconfirmed_jump #1"]


class TestRoom:
    def test_new_series_beyond_the_limit_are_refused(self, make_store, feed):
        store = make_store(max_series=2)
        fed = feed(store, [("a", 0, 1), ("b", 0, 1), ("c", 0, 1), ("a", 10, 1)])
        assert fed.rejected == ["too_many_series #2"]
        assert fed.counts == {"accepted": 3}

    def test_unconfirmed_unknown_series_take_room(self, make_store, feed):
        store = make_store(max_series=2, **JUMPY)
        fed = feed(store, [("a", 0, 1), ("b", 5000, 1), ("c", 5000, 1), ("d", 0, 1), ("b", 5010, 1)])
        assert fed.rejected == ["unconfirmed_jump #1", "too_many_series #2", "too_many_series #3"]

    def test_a_full_store_of_silent_series_sees_time_pass(self, make_store, feed):
        store = make_store(max_series=2, forget_after=800)
        fed = feed(store, [("a", 0, 1), ("b", 0, 1), ("c", 700, 1), ("c", 900, 1)])
        assert fed.rejected == ["too_many_series #2"]
        assert list(store) == ["c"]

    def test_message(self, make_store, feed):
        store = make_store(max_series=1)
        feed(store, [("a", 0, 1)])
        with pytest.raises(InvalidRecordError) as caught:
            store.add(WideSample("b", 0, [1.0]), 1)
        assert caught.value.reason == "too_many_series"
        assert caught.value.detail == (
            "series 'b' is new, and as many as allowed are held already: 1 (window.max_series)"
        )


class TestWatermark:
    def test_it_is_the_greatest_time(self, make_store, feed):
        store = make_store()
        assert store.watermark_ns is None
        feed(store, [("a", 20, 1), ("b", 10, 1)])
        assert store.watermark_ns == 20 * SECOND

    def test_records_behind_a_restored_watermark_are_normal(self, make_store, feed):
        store = make_store(forget_after=800)
        store.watermark_ns = 100_000 * SECOND
        fed = feed(store, [(0, 1), (10, 2), (20, 3)])
        assert fed.windows == ["1 2 3 @20 #2 <0"]
        assert fed.resets == []
        assert store.watermark_ns == 100_000 * SECOND

    def test_forgetting_goes_on_from_a_restored_watermark(self, make_store, feed):
        store = make_store(forget_after=800)
        store.watermark_ns = 1010 * SECOND
        assert feed(store, [("a", 0, 1), ("b", 1099, 1)]).resets == []
        assert feed(store, [("b", 1100, 1)], 2).resets == ["a forgotten @1100 #2 after 0"]

    def test_it_can_be_made_unknown(self, make_store, feed):
        store = make_store(**JUMPY)
        store.watermark_ns = 0
        store.watermark_ns = None
        assert store.watermark_ns is None
        assert feed(store, [(5000, 1)]).rejected == []


class TestStates:
    def test_states(self, make_store, feed):
        # a is full, b is not, c is far behind
        store = make_store(stale_after=1000)
        samples = [("c", 0, 1), *(("a", 1000 + 10 * row, row) for row in range(3)), ("b", 1010, 1)]
        feed(store, samples)
        assert {series: store.state(series) for series in store} == {"c": "stale", "a": "live", "b": "warming_up"}
        assert store.states() == {"warming_up": 1, "live": 1, "stale": 1}
        assert store.last_time_ns("a") == 1020 * SECOND

    def test_exactly_the_limit_is_not_stale(self, make_store, feed):
        store = make_store(stale_after=1000)
        feed(store, [("a", 0, 1), ("b", 1000, 1)])
        assert store.state("a") == "warming_up"
        assert store.states() == {"warming_up": 2, "live": 0, "stale": 0}

    def test_a_reset_warms_up_again(self, make_store, feed):
        store = make_store()
        feed(store, [(0, 1), (10, 2), (20, 3)])
        assert store.state("a") == "live"
        feed(store, [(100, 4)], 3)
        assert store.state("a") == "warming_up"

    def test_an_empty_store(self, make_store):
        store = make_store()
        assert store.states() == {"warming_up": 0, "live": 0, "stale": 0}
        assert len(store) == 0
        with pytest.raises(KeyError, match="a"):
            store.state("a")

    def test_without_a_watermark_nothing_is_stale(self, make_store, feed):
        store = make_store()
        feed(store, [(0, 1)])
        store.watermark_ns = None
        assert store.states() == {"warming_up": 1, "live": 0, "stale": 0}
        assert store.state("a") == "warming_up"
