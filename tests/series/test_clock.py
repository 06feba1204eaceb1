"""The watermark follows a partition's series, not the one among them whose clock is ahead. With the real numbers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from detector.errors import InvalidRecordError
from detector.records.values import WideSample
from detector.series.store import SeriesStore
from detector.series.watermark import Claim, ClockState, Watermark
from tests.series.conftest import SECOND

HOUR, DAY = 3600, 86_400
WEEK, MONTH, YEAR = 7 * DAY, 30 * DAY, 365 * DAY
REACH = WEEK // 8
HEALTHY = [f"h{number}" for number in range(10)]


@pytest.fixture
def store(make_spec) -> SeriesStore:
    return SeriesStore(
        make_spec(
            max_jump=WEEK, forget_after=WEEK, stale_after=900, max_gap=10**6, claims_alone=64, claims_shared=8
        )
    )  # fmt: skip


def feed(store: SeriesStore, samples: Iterable[tuple[str, int]], first_offset: int = 0) -> int:
    """Feed series and times in seconds; returns how many were accepted."""
    accepted = 0
    for offset, (series, time) in enumerate(samples, first_offset):
        try:
            store.add(WideSample(series, time * SECOND, [1.0]), offset)
            accepted += 1
        except InvalidRecordError as error:
            assert error.reason == "unconfirmed_jump"  # noqa: PT017
        if store.pending:
            store.take()
    return accepted


def rounds(names: Iterable[str], first: int, last: int, step: int = 10) -> list[tuple[str, int]]:
    return [(name, time) for time in range(first, last, step) for name in names]


def watermark(store: SeriesStore) -> float:
    assert store.watermark_ns is not None
    return store.watermark_ns / SECOND


@pytest.mark.parametrize("ahead", [YEAR, MONTH, 2 * DAY])
@pytest.mark.parametrize("wrong", [1, 2])
def test_clocks_far_ahead_leave_the_others_alone(store, ahead, wrong):
    feed(store, rounds(HEALTHY, 0, 1000))
    samples = [
        *[(f"w{number}", time + ahead) for time in range(1000, 5000, 10) for number in range(wrong)],
    ]
    healthy = rounds(HEALTHY, 1000, 5000)
    mixed: list[tuple[str, int]] = []
    for index in range(400):
        mixed += healthy[10 * index : 10 * index + 10] + samples[wrong * index : wrong * index + wrong]
    feed(store, mixed, 1000)
    assert watermark(store) == 4990
    assert store.take_resets() == []
    assert store.states() == {"warming_up": 0, "live": 10 + wrong, "stale": 0}
    assert store.last_time_ns("w0") == (4990 + ahead) * SECOND


def test_a_clock_an_hour_ahead_makes_nobody_stale(store):
    for time in range(0, 5000, 10):
        feed(store, [("ahead", time + HOUR), ("a", time), ("b", time)], time)
    assert watermark(store) == 4990 + HOUR
    assert store.states() == {"warming_up": 0, "live": 3, "stale": 0}


def test_a_clock_that_runs_too_fast_leads_by_no_more_than_the_reach(store):
    for time in range(0, 5 * DAY, 600):
        feed(store, [("fast", 3 * time), ("a", time), ("b", time)], time)
    assert store.last_time_ns("fast") > 14 * DAY * SECOND
    assert 5 * DAY - 600 <= watermark(store) <= 5 * DAY + REACH
    assert store.counts.forgotten == 0
    assert store.states()["stale"] == 0


def test_everybody_resumes_after_a_month(store):
    feed(store, rounds(HEALTHY, 0, 1000))
    back = rounds(HEALTHY, MONTH, MONTH + 1000)
    # Each one's first sample waits for its second, then eight that agree are enough.
    assert feed(store, back[:17], 1000) == 7
    assert watermark(store) == 990
    feed(store, back[17:18], 1017)
    assert watermark(store) == MONTH + 10
    feed(store, back[18:], 1018)
    assert watermark(store) == MONTH + 990
    assert store.counts.forgotten == 10
    assert store.states() == {"warming_up": 0, "live": 10, "stale": 0}


def test_a_single_series_resumes_after_a_month(store):
    feed(store, rounds(["a"], 0, 1000))
    back = rounds(["a"], MONTH, MONTH + 2000)
    assert feed(store, back[:64], 100) == 63
    assert watermark(store) == 990
    feed(store, back[64:65], 164)
    assert watermark(store) == MONTH + 640
    # From here on it is known to be alone and goes on at once.
    feed(store, back[65:66], 165)
    assert watermark(store) == MONTH + 650


def test_of_two_series_one_died(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    feed(store, rounds(["a"], 1000, WEEK + 2 * DAY, 600), 200)
    assert watermark(store) == WEEK + 2 * DAY - 600 + 400
    assert [(reset.series, reset.reason) for reset in store.take_resets()] == [("b", "forgotten")]


def test_a_series_that_is_left_alone_makes_the_other_stale_once_that_is_sure(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    feed(store, rounds(["a"], 1000, 1000 + 630), 200)
    assert watermark(store) == 1620
    assert store.state("b") != "stale"
    feed(store, rounds(["a"], 1630, 2000), 300)
    assert store.state("b") == "stale"


def test_a_single_series_with_a_sample_a_day(store):
    feed(store, [("a", day * DAY) for day in range(64)])
    assert watermark(store) == 0
    feed(store, [("a", 64 * DAY), ("a", 65 * DAY)], 64)
    assert watermark(store) == 65 * DAY


def test_two_series_with_a_sample_a_day(store):
    feed(store, [(series, day * DAY) for day in range(30) for series in ("a", "b")])
    # Some samples behind, but it comes along.
    assert 24 * DAY <= watermark(store) <= 29 * DAY


def test_of_two_that_disagree_after_an_outage_the_nearer_one_is_believed(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    mixed = [sample for time in range(0, 1300, 10) for sample in (("b", YEAR + time), ("a", DAY + time))]
    feed(store, mixed, 200)
    assert watermark(store) == DAY + 1290
    assert store.state("a") == "live"


def test_a_wrong_claim_that_is_not_repeated_gives_way(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    feed(store, [("a", 2 * DAY)], 200)
    assert store.clock_state().claim == Claim("a", 2 * DAY * SECOND, None, 1, 0)
    feed(store, rounds(["b"], 5 * DAY, 5 * DAY + 70), 201)
    assert store.clock_state().claim == Claim("a", 2 * DAY * SECOND, None, 1, 7)
    feed(store, rounds(["b"], 5 * DAY + 70, 5 * DAY + 710), 208)
    assert watermark(store) == 5 * DAY + 700


def test_the_same_reading_again_is_no_further_claim(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    feed(store, [("a", 2 * DAY)] * 500, 200)
    assert watermark(store) == 990


def test_what_was_refused_claims_nothing(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    assert feed(store, [("w", YEAR)] * 3, 200) == 0
    assert store.clock_state().claim is None


def test_a_clock_that_is_held_stands_still(store):
    feed(store, rounds(["a", "b"], 0, 1000))
    state = store.clock_state()
    assert state == ClockState(990 * SECOND, "a", 990 * SECOND, 0, None)
    store.hold_clock(True)
    feed(store, rounds(["c"], 0, 30 * DAY, HOUR), 200)
    assert store.clock_state() == state
    store.hold_clock(False)
    feed(store, [("a", 1000)], 2000)
    assert watermark(store) == 1000


def test_where_only_the_watermark_is_known_it_goes_on_from_there(make_spec):
    mark = Watermark(WEEK, WEEK, 1, 64, 8)
    assert mark.state is None
    mark.state = ClockState(100, None, 100, 0, None)
    assert (mark.known, mark.ns, mark.agreed_ns) == (True, 100, 100)
    mark.observe("a", 110)
    assert mark.state == ClockState(110, "a", 100, 0, None)
    mark.state = None
    assert (mark.known, mark.state) == (False, None)
