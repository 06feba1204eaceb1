"""When the unknown past can have no influence on a series any more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.alerting.policy import IncidentPolicy
from detector.lived.certainty import Certainty
from detector.pipeline.outcome import Outcome, ScoreRows
from detector.records.values import WideSample
from detector.series.spec import WindowSpec
from detector.series.store import SeriesStore

SECOND = 1_000_000_000
SPEC = WindowSpec(
    length=3, channels=1, period_ns=SECOND, stride=1, max_gap_steps=2, lateness_ns=0, max_jump_ns=10**15,
    stale_after_ns=10**12, forget_after_ns=10**15, min_coverage=0.5, max_series=10,
)  # fmt: skip
POLICY = IncidentPolicy(
    threshold=1.0, quiet_score=0.8, open_after=2, close_after=3, cool_down_ns=0, update_every_ns=10**12,
    warning_ratio=2.0, critical_ratio=5.0, top_channels=1, channels=(),
)  # fmt: skip
NAN = float("nan")


def rows_of(series: list[str], time_ns: np.ndarray, offset: np.ndarray, score: np.ndarray) -> ScoreRows:
    return ScoreRows(series, time_ns, offset, score, np.zeros(len(series), bool))


def certain_from(
    scores: list[float], times: list[float] | None = None, spec: WindowSpec = SPEC, policy: IncidentPolicy = POLICY
) -> int | None:
    """Index of the first score whose outcome is certain; an extra quiet one follows the given ones."""
    scores = [*scores, 0.0]
    seconds = list(map(float, range(len(scores)))) if times is None else [*times, times[-1] + 1]
    certainty = Certainty(spec, policy, known=False)
    for index, (score, second) in enumerate(zip(scores, seconds, strict=True)):
        certainty.observe(rows_of(["pump"], np.array([int(second * SECOND)]), np.array([index]), np.array([score])))
        if certainty.holds("pump", index):
            return index
    return None


@pytest.mark.parametrize(
    ("scores", "first"),
    [
        ([0, 0, 0], 3),  # the third could have closed an incident that was open before
        ([0, 0], None),
        ([0, 0.9, 0, 0, 0], 5),  # between the two limits: not quiet
        ([0, 0, 2, 0, 0, 0], 6),
        ([2, 2, 2, 2], None),
        ([0, NAN, 0, NAN, 0], 5),  # what is not known neither opens nor quiets
        ([0, 0, 0, 2, 2, 0], 3),  # certain stays certain, incidents and all
    ],
)
def test_as_many_quiet_scores_as_close_an_incident(scores: list[float], first: int | None) -> None:
    assert certain_from(scores) == first


def test_a_cool_down_has_to_pass_without_a_score_above_the_threshold() -> None:
    policy = replace(POLICY, cool_down_ns=4 * SECOND)
    assert certain_from([0] * 7, policy=policy) == 7
    assert certain_from([0, 0, 0, 0.9, 0, 0, 0], policy=policy) == 7
    assert certain_from([0, 0, 0, 0, 2, 0, 0, 0, 0], policy=policy) is None


def test_with_a_period_rows_must_lie_on_one_grid_whatever_its_origin() -> None:
    assert certain_from([0] * 5, [0.3, 1.3, 2.3, 3.3, 4.3]) == 3
    assert certain_from([0] * 6, [0, 1.1, 2.0, 3.1, 4.0, 5.1]) is None
    assert certain_from([0] * 6, [0, 1.1, 2.0, 3.1, 4.0, 5.1], replace(SPEC, period_ns=None)) == 3


def test_a_row_off_the_grid_makes_a_series_uncertain_again() -> None:
    certainty = Certainty(SPEC, POLICY, known=False)
    times = [0, 1, 2, 3, 4.4, 5, 6, 7, 8, 9]
    held = []
    for index, second in enumerate(times):
        certainty.observe(rows_of(["p"], np.array([int(second * SECOND)]), np.array([index]), np.array([0.0])))
        held.append(certainty.holds("p", index))
    assert held == [False] * 3 + [True] + [False] * 4 + [True, True]


def test_with_a_stride_the_phase_stays_unknown() -> None:
    assert certain_from([0] * 20, spec=replace(SPEC, stride=2)) is None


def test_a_known_beginning_leaves_nothing_open() -> None:
    certainty = Certainty(SPEC, POLICY, known=True)
    assert certainty.holds("never-seen", 0)


def test_all_scores_of_a_batch_may_be_observed_before_the_first_is_asked_about() -> None:
    certainty = Certainty(SPEC, POLICY, known=False)
    rows = np.arange(6)
    certainty.observe(rows_of(["p"] * 6, rows * SECOND, rows, np.zeros(6)))
    assert [certainty.holds("p", index) for index in range(6)] == [False] * 3 + [True] * 3
    assert certainty.certain() == {"p"}


class TestCarriedMemory:
    """Nobody knows what a model remembers of a time that was not read."""

    @staticmethod
    def held(gaps: list[int], scores: list[float], spec: WindowSpec = SPEC) -> list[int]:
        """Offsets whose outcome is certain, behind gaps that the records at these offsets revealed."""
        certainty = Certainty(spec, POLICY, known=False, carries=True)
        found = []
        for index, score in enumerate(scores):
            rows = rows_of(["p"], np.array([index * SECOND]), np.array([index]), np.array([score]))
            certainty.follow(Outcome(scores=[rows], anchored=[("p", index)] if index in gaps else []))
            if certainty.holds("p", index):
                found.append(index)
        return found

    def test_no_run_of_quiet_scores_makes_it_certain(self) -> None:
        assert self.held([], [0.0] * 50) == []

    def test_a_gap_does_once_nothing_can_be_under_way(self) -> None:
        assert self.held([4], [0.0] * 10) == [8, 9]
        assert self.held([4], [0, 0, 0, 0, 0, 2, 0, 0, 0, 0.0]) == [9]
        assert self.held([4, 8], [0.0] * 10) == [8, 9]

    def test_it_also_tells_the_phase_of_a_stride(self) -> None:
        assert self.held([4], [0.0] * 10, replace(SPEC, stride=2)) == [8, 9]

    def test_a_gap_of_another_series_does_not(self) -> None:
        certainty = Certainty(SPEC, POLICY, known=False, carries=True)
        rows = np.arange(9)
        certainty.follow(Outcome(scores=[rows_of(["p"] * 9, rows * SECOND, rows, np.zeros(9))], anchored=[("q", 0)]))
        assert certainty.certain() == frozenset()
        assert not certainty.holds("q", 9)

    @pytest.mark.parametrize(("behind", "anchors"), [(29.9, False), (30.1, True), (40, True)])
    def test_only_what_is_a_gap_wherever_the_grid_began(self, behind: float, anchors: bool) -> None:
        """One missing row is filled; 29.9 s are two steps of 10 s or three, as the grid lies."""
        spec = replace(SPEC, period_ns=10 * SECOND, max_gap_steps=1)
        store = SeriesStore(spec)
        store.add(WideSample("p", 6 * SECOND, [0.0]), 0)
        store.add(WideSample("p", round(15.9 * SECOND), [0.0]), 1)
        store.add(WideSample("p", round((15.9 + behind) * SECOND), [0.0]), 2)
        assert [reset.anchors for reset in store.take_resets()] == [anchors]


class TestMemoryThatEnds:
    """A score that averages over the last five samples is certain once all of them are."""

    @staticmethod
    def first_held(scores: list[float], times: list[float] | None = None, reach: float = 5) -> int | None:
        certainty = Certainty(SPEC, POLICY, known=False, carries=True, reach={"p": reach, "q": float("inf")}.get)
        seconds = list(map(float, range(len(scores)))) if times is None else times
        for index, (score, second) in enumerate(zip(scores, seconds, strict=True)):
            rows = [np.array([int(second * SECOND)]), np.array([index]), np.array([score])]
            certainty.observe(rows_of(["p"], *rows))
            certainty.observe(rows_of(["q"], *rows))
            assert not certainty.holds("q", index)
            if certainty.holds("p", index):
                return index
        return None

    def test_quiet_scores_count_once_they_are_exact(self) -> None:
        # The grid is known with the third window. Five scores later they are exact, and three quiet ones close.
        assert self.first_held([0.0] * 20, reach=0) == 3
        assert self.first_held([0.0] * 20) == 2 + 5 - 1 + 3
        assert self.first_held([0.0] * 20, reach=7) == 2 + 7 - 1 + 3

    def test_what_is_not_known_is_no_part_of_the_average(self) -> None:
        assert self.first_held([0.0] * 4 + [NAN] * 3 + [0.0] * 10) == 2 + 5 - 1 + 3 + 3

    def test_another_grid_begins_it_anew(self) -> None:
        times = [0, 1, 2, 3, *(4.5 + step for step in range(16))]
        assert self.first_held([0.0] * 20, times) == 4 + 2 + 5 - 1 + 3
