"""Wide samples on the grid: tables of samples and the windows that they give.

Drawings: one column is one row of the grid (10 s); ``[---]`` is a window, ``x`` a dropped sample, ``.`` a filled row,
``|`` a reset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import Any

import pytest


@dataclass(frozen=True)
class Case:
    name: str
    samples: list[tuple[Any, ...]]
    windows: list[str]
    counts: dict[str, int]
    resets: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


CASES = [
    # time   0  10 20 30 40
    # value  1  2  3  4  5
    #        [-----]
    #           [-----]
    #              [-----]
    Case(
        "every row completes a window once there are enough",
        [(0, 1), (10, 2), (20, 3), (30, 4), (40, 5)],
        ["1 2 3 @20 #2 <0", "2 3 4 @30 #3 <1", "3 4 5 @40 #4 <2"],
        {"accepted": 5},
    ),
    # time   0  10 20
    # value  1  2        too few: nothing
    Case("warming up gives nothing", [(0, 1), (10, 2)], [], {"accepted": 2}),
    # time   0  10 20 30
    # order  1  2  4  3x   the 20 s sample comes after the 30 s one
    #        1  2  .  4
    #           [-----]
    Case(
        "a late sample is dropped, its row was filled",
        [(0, 1), (10, 2), (30, 4), (20, 3)],
        ["2 . 4 @30 #2 <1"],
        {"accepted": 3, "late": 1, "filled": 1},
    ),
    # time   0  10 10 20
    # value  1  2  9x 3
    #        [--------]
    Case(
        "the first of two samples of one row stays",
        [(0, 1), (10, 2), (10, 9), (20, 3)],
        ["1 2 3 @20 #3 <0"],
        {"accepted": 3, "duplicate": 1},
    ),
    # time   0  10 20 30 40
    # value  1  2  .  .  5     two rows are missing, two may be
    #              [-----]
    Case(
        "a short gap is filled, and filled rows complete no window",
        [(0, 1), (10, 2), (40, 5)],
        [". . 5 @40 #2 <2 ?"],
        {"accepted": 3, "filled": 2},
    ),
    # time   0  10 20 30 40 50 60 70 80
    # value  1  2  3           7  8  9     three rows are missing, two may be
    #        [-----]          |
    #                          [-----]
    Case(
        "a long gap resets",
        [(0, 1), (10, 2), (20, 3), (60, 7), (70, 8), (80, 9)],
        ["1 2 3 @20 #2 <0", "7 8 9 @80 #5 <3"],
        {"accepted": 6, "resets_gap": 1},
        ["a gap @60 #3 after 1"],
    ),
    # time   0  10 20 | 57 67 77     the grid begins anew at 57, not at 60
    Case(
        "the grid is anchored at the first sample after a reset",
        [(0, 1), (10, 2), (57, 7), (71.9, 8), (72, 9), (77, 9)],
        ["7 8 9 @72 #4 <2"],
        {"accepted": 5, "duplicate": 1, "resets_gap": 1},
        ["a gap @57 #2 after 0"],
    ),
    # time   0    10   20   30
    #        0  6   14  20    34.9
    #        1  2   x  3    4          6 -> row 1, 14 -> row 1 again
    Case(
        "jitter: a sample belongs to the nearest row",
        [(0, 1), (6, 2), (14, 9), (20, 3), (34.9, 4)],
        ["1 2 3 @20 #3 <0", "2 3 4 @34.9 #4 <1"],
        {"accepted": 4, "duplicate": 1},
    ),
    # time   0  5  10     5 is half-way: it goes to the later row, and 10 is its duplicate
    Case(
        "half-way goes to the later row",
        [(0, 1), (5, 2), (10, 9), (20, 3)],
        ["1 2 3 @20 #3 <0"],
        {"accepted": 3, "duplicate": 1},
    ),
    # time    0   10  20       a channel is missing at 10
    # ch 0    1   2   3
    # ch 1    4   .   6
    #         [-------]
    Case(
        "a missing channel is NaN in its row",
        [(0, [1.0, 4.0]), (10, [2.0, nan]), (20, [3.0, 6.0])],
        ["1/4 2/. 3/6 @20 #2 <0"],
        {"accepted": 3},
        settings={"channels": 2},
    ),
    # ch 0    1   .   3        5 of 9 values are observed: just enough
    # ch 1    4   .   4
    # ch 2    .   .   5
    # ch 0        .   3   3    5 of 9 again
    # ch 1        .   4   4
    # ch 2        .   5   .    though the last row would do with 2 of 3
    # ch 0            3   3  . 5 of 9, but a last row of nothing
    Case(
        "coverage of the window counts all its values",
        [(0, [1.0, 4.0, nan]), (10, [nan] * 3), (20, [3.0, 4.0, 5.0]), (30, [3.0, 4.0, nan]), (40, [nan] * 3)],
        ["1/4/. ././. 3/4/5 @20 #2 <0", "././. 3/4/5 3/4/. @30 #3 <1", "3/4/5 3/4/. ././. @40 #4 <2 ?"],
        {"accepted": 5},
        settings={"channels": 3, "min_coverage": 5 / 9},
    ),
    # ch 0    1   .   .        4 of 9 values: too few, though the last row is whole
    Case(
        "one value less is too few",
        [(0, [1.0, nan, nan]), (10, [nan] * 3), (20, [3.0, 4.0, 5.0])],
        ["1/./. ././. 3/4/5 @20 #2 <0 ?"],
        {"accepted": 3},
        settings={"channels": 3, "min_coverage": 5 / 9},
    ),
    # ch 0    1   2   3        the window has 7 of 9 values, its last row 1 of 3
    # ch 1    4   5   .
    # ch 2    7   8   .
    Case(
        "coverage of the last row counts on its own",
        [(0, [1.0, 4.0, 7.0]), (10, [2.0, 5.0, 8.0]), (20, [3.0, nan, nan])],
        ["1/4/7 2/5/8 3/./. @20 #2 <0 ?"],
        {"accepted": 3},
        settings={"channels": 3},
    ),
    # 7 of 25 values, and 0.28 * 25 is 7.000000000000001 to a computer
    Case(
        "a share is met by the count that it means",
        [(0, [1.0] * 7 + [nan] * 18)],
        ["/".join(["1"] * 7 + ["."] * 18) + " @0 #0 <0"],
        {"accepted": 1},
        settings={"length": 1, "channels": 25, "min_coverage": 0.28},
    ),
    # time   0  10 20 30 40 50 60
    # real   1  2  3  4  5  6  7      every 2nd
    #           [-----]
    #                 [-----]
    Case(
        "stride 2: every second row",
        [(10 * row, row + 1) for row in range(7)],
        ["2 3 4 @30 #3 <1", "4 5 6 @50 #5 <3"],
        {"accepted": 7},
        settings={"stride": 2},
    ),
    # time   0  10 20 30 40 50
    # real   1  2  .  4  5     6      filled rows do not count for the stride: real rows 2, 4 are due
    Case(
        "stride counts observed rows",
        [(0, 1), (10, 2), (30, 4), (40, 5), (60, 7)],
        [". 4 5 @40 #3 <2"],
        {"accepted": 5, "filled": 2},
        settings={"stride": 2},
    ),
    # time   0  1  5  5  4  99   no period: rows are samples, whatever their distance
    # value  1  2  3  9x 9x 4
    Case(
        "without a period rows count samples",
        [(0, 1), (1, 2), (5, 3), (5, 9), (4, 9), (99, 4)],
        ["1 2 3 @5 #2 <0", "2 3 4 @99 #5 <1"],
        {"accepted": 4, "duplicate": 1, "late": 1},
        settings={"period": None},
    ),
    # a gap wider than the window, but allowed: only the last row is observed
    Case(
        "a filled gap longer than the window leaves no old row in it",
        [(0, 1), (10, 2), (20, 3), (120, 9), (130, 8)],
        ["1 2 3 @20 #2 <0", ". . 9 @120 #3 <3 ?", ". 9 8 @130 #4 <3"],
        {"accepted": 5, "filled": 9},
        settings={"max_gap": 50},
    ),
    # a: 1  2  3  4
    # b:  5  6  7  8      two series in turn do not touch each other
    Case(
        "series are apart",
        [("a", 0, 1), ("b", 3, 5), ("a", 10, 2), ("b", 13, 6), ("b", 23, 7), ("a", 20, 3)],
        ["b: 5 6 7 @23 #4 <1", "1 2 3 @20 #5 <0"],
        {"accepted": 6},
    ),
    # the very first sample may lie before the epoch; the grid works there too
    Case(
        "times before the epoch",
        [(-25, 1), (-14, 2), (-5, 3)],
        ["1 2 3 @-5 #2 <0"],
        {"accepted": 3},
    ),
    Case("windows of one row", [(0, 1), (10, 2)], ["1 @0 #0 <0", "2 @10 #1 <1"], {"accepted": 2}, [], {"length": 1}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_windows(case, make_store, feed):
    fed = feed(make_store(**case.settings), case.samples)
    assert fed.windows == case.windows
    assert fed.resets == case.resets
    assert fed.counts == case.counts
    assert fed.rejected == []


def test_a_sample_of_the_wrong_width_is_a_programming_error(make_store, feed):
    with pytest.raises(ValueError, match="a sample of 'a' has 2 values for 1 channels"):
        feed(make_store(), [(0, [1.0, 2.0])])


def test_values_are_copied(make_store, feed):
    store = make_store(length=1)
    values = [1.0]
    feed(store, [(0, values)])
    store = make_store(length=2)
    feed(store, [(0, values)])
    values[0] = 99.0
    assert feed(store, [(10, 2)], 1).windows == ["1 2 @10 #1 <0"]
