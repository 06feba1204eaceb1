"""Tall samples: rows assembled from single channels.

Drawings: columns are rows of the grid (10 s), lines are channels, numbers are the order of arrival (the offsets).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import Any

import pytest


@dataclass(frozen=True)
class Case:
    name: str
    samples: list[tuple[float, int, float]]  # time, channel, value
    windows: list[str]
    counts: dict[str, int]
    resets: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


CASES = [
    # time   0  10
    # ch 0   0  3
    # ch 1   1  2
    #        [--]     complete with record 3
    Case(
        "a row is placed with its last channel",
        [(0, 0, 1), (0, 1, 2), (10, 1, 4), (10, 0, 3)],
        ["1/2 3/4 @10 #3 <0"],
        {"accepted": 4},
    ),
    # time   0  10 20
    # ch 0   0  2  3
    # ch 1   1     4     record 3 closes the row at 10
    #        [--]
    #           [--]
    Case(
        "a later time closes an incomplete row",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (20, 0, 5), (20, 1, 6)],
        ["1/2 3/. @10 #3 <0", "3/. 5/6 @20 #4 <2"],
        {"accepted": 5, "incomplete": 1},
    ),
    # time   0  10 20
    # ch 0   0  2  3
    # ch 1   1  4x       record 4 comes after its row was closed
    Case(
        "a channel after its row was closed is late",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (20, 0, 5), (10, 1, 9)],
        ["1/2 3/. @10 #3 <0"],
        {"accepted": 4, "incomplete": 1, "late": 1},
    ),
    # time   0  10 20
    # ch 0   0  3x 2           the row at 10 was never begun, and is not any more
    # ch 1   1     4
    Case(
        "without lateness no row begins behind a later one",
        [(0, 0, 1), (0, 1, 2), (20, 0, 5), (10, 0, 9), (20, 1, 6)],
        ["./. 5/6 @20 #4 <2"],
        {"accepted": 4, "late": 1, "filled": 1},
    ),
    # time   0  10 20 30       lateness 15 s = two rows: the row at 10 waits for the one at 30
    # ch 0   0  2  3
    # ch 1   1  4  5
    #        [--]              complete with record 4
    #           [--]
    Case(
        "within the lateness a channel may come after later rows",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (20, 0, 5), (10, 1, 4), (20, 1, 6)],
        ["1/2 3/4 @10 #4 <0", "3/4 5/6 @20 #5 <2"],
        {"accepted": 6},
        settings={"lateness": 15},
    ),
    # time   0  10 20 30
    # ch 0   0  2  3  5
    # ch 1   1     4           the row at 20 is complete with 4, and waits for 10, which 5 closes
    #        [--]              5
    #           [--]           5 too: one record, two windows
    Case(
        "complete rows wait for earlier ones",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (20, 0, 5), (20, 1, 6), (30, 0, 7)],
        ["1/2 3/. @10 #5 <0", "3/. 5/6 @20 #5 <2"],
        {"accepted": 6, "incomplete": 1},
        settings={"lateness": 15},
    ),
    # time   0  10 20
    # ch 0   0  3  2
    # ch 1   1  4           the row at 10 begins after the one at 20: its window starts at record 2, not at 3
    Case(
        "the oldest record of a window may belong to a later row",
        [(0, 0, 1), (0, 1, 2), (20, 0, 5), (10, 0, 3), (10, 1, 4), (20, 1, 6)],
        ["1/2 3/4 @10 #4 <0", "3/4 5/6 @20 #5 <2"],
        {"accepted": 6},
        settings={"lateness": 15},
    ),
    # ch 0   0,1x  3      the second value of a channel is dropped, in an open row
    # ch 1   2     4,5x   and in a closed one
    Case(
        "a channel that came already is a duplicate",
        [(0, 0, 1), (0, 0, 9), (0, 1, 2), (10, 0, 3), (10, 1, 4), (10, 1, 9)],
        ["1/2 3/4 @10 #4 <0"],
        {"accepted": 4, "duplicate": 2},
    ),
    # time   0  10 20 30 40 50
    # ch 0   0  2              4
    # ch 1   1  3              5     three rows are missing, two may be
    Case(
        "a long gap resets",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (10, 1, 4), (50, 0, 5), (50, 1, 6), (60, 0, 7), (60, 1, 8)],
        ["1/2 3/4 @10 #3 <0", "5/6 7/8 @60 #7 <4"],
        {"accepted": 8, "resets_gap": 1},
        ["a gap @50 #4 after 1"],
    ),
    # the open row belongs before the gap: it is placed, then the window is reset
    Case(
        "a gap closes open rows first, whatever the lateness",
        [(0, 0, 1), (0, 1, 2), (10, 0, 3), (50, 0, 5)],
        ["1/2 3/. @10 #3 <0"],
        {"accepted": 4, "incomplete": 1, "resets_gap": 1},
        ["a gap @50 #3 after 1"],
        {"lateness": 1000},
    ),
    # time   0  10 20 30
    # ch 0   0  .     2
    # ch 1   1        3
    Case(
        "a short gap is filled",
        [(0, 0, 1), (0, 1, 2), (20, 0, 5), (20, 1, 6)],
        ["./. 5/6 @20 #3 <2"],
        {"accepted": 4, "filled": 1},
    ),
    # 8 and 12 are of the row at 10, 21 and 19 of the row at 20; a row's time is the latest of its samples
    Case(
        "channels near in time are one row",
        [(0, 0, 1), (0, 1, 2), (8, 0, 3), (12, 1, 4), (21, 0, 5), (19, 1, 6)],
        ["1/2 3/4 @12 #3 <0", "3/4 5/6 @21 #5 <2"],
        {"accepted": 6},
    ),
    Case(
        "without a period only equal times are one row",
        [(0, 0, 1), (0, 1, 2), (12, 0, 3), (8, 1, 4), (12, 1, 4)],
        ["1/2 3/4 @12 #4 <0"],
        {"accepted": 4, "late": 1},
        settings={"period": None},
    ),
    # lateness 5 s: 12 is no reason to close 8
    Case(
        "without a period the lateness is exact",
        [(0, 0, 1), (0, 1, 2), (8, 0, 3), (12, 0, 5), (8, 1, 4), (16, 0, 7), (17, 0, 8)],
        ["1/2 3/4 @8 #4 <0", "3/4 5/. @12 #6 <2"],
        {"accepted": 7, "incomplete": 1},
        settings={"period": None, "lateness": 5},
    ),
    # a null is a channel that came: the row does not wait for it
    Case(
        "a channel without a value completes its row",
        [(0, 0, 1), (0, 1, nan), (10, 0, 3), (10, 1, 4)],
        ["1/. 3/4 @10 #3 <0"],
        {"accepted": 4},
    ),
    # time  -10 0     the first row ever need not be the earliest
    # ch 0   1  0
    # ch 1   2  3
    Case(
        "rows before the first sample are welcome while they can still be placed",
        [(0, 0, 3), (-10, 0, 1), (-10, 1, 2), (0, 1, 4)],
        ["1/2 3/4 @0 #3 <0"],
        {"accepted": 4},
        settings={"lateness": 15},
    ),
    # time  -50 ... 0     side by side under assembly, yet too far apart for one window
    Case(
        "a gap between rows that were assembled together",
        [(0, 0, 3), (-50, 0, 1), (-50, 1, 2), (0, 1, 4), (10, 0, 5), (10, 1, 6)],
        ["3/4 5/6 @10 #5 <0"],
        {"accepted": 6, "resets_gap": 1},
        ["a gap @0 #3 after 0"],
        {"lateness": 100},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_windows(case, make_store, feed):
    settings = {"length": 2, "channels": 2} | case.settings
    fed = feed(make_store(**settings), [(*sample, "tall") for sample in case.samples])
    assert fed.windows == case.windows
    assert fed.resets == case.resets
    assert fed.counts == case.counts


def test_more_than_64_channels(make_store, feed):
    store = make_store(length=1, channels=100)
    fed = feed(store, [(0, channel, channel, "tall") for channel in range(100)])
    assert fed.windows == ["/".join(str(channel) for channel in range(100)) + " @0 #99 <0"]


def test_one_sample_may_complete_more_windows_than_the_capacity(make_store, feed):
    # Rows 1 to 5 are complete and wait for row 0; record 11 closes it.
    store = make_store(capacity=2, length=1, channels=2, lateness=60)
    early = [(0, 0, 0, "tall")] + [(10 * row, channel, row, "tall") for row in range(1, 6) for channel in (0, 1)]
    fed = feed(store, [*early, (60, 0, 6, "tall")])
    assert fed.windows == ["0/. @0 #11 <0"] + [f"{row}/{row} @{10 * row} #11 <{2 * row - 1}" for row in range(1, 6)]


def test_what_was_open_when_a_series_is_forgotten_counts_as_incomplete(make_store, feed):
    store = make_store(channels=2, forget_after=800)
    fed = feed(store, [("a", 0, 0, 1, "tall"), ("b", 1000, 0, 1, "tall")])
    assert fed.resets == ["a forgotten @1000 #1 after 0"]
    assert fed.counts == {"accepted": 2, "incomplete": 1, "forgotten": 1}
