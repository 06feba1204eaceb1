"""Alert budgets where there is little held-out data, on scores that are averaged over many samples."""

from __future__ import annotations

import numpy as np
import pytest

from detector.cli.common.judgement import incident_counter
from detector.settings import IncidentSettings
from models.calibration import Calibration, CalibrationOptions, HeldOutScores, calibrate
from models.calibration.excursions import OpeningLevels, excursion_peaks, fit_endless

MINUTE_NS = 60_000_000_000
HOUR = 60
WEEK = 7 * 24 * HOUR
count = incident_counter(IncidentSettings(), 10)


def smoothed(seed: int, samples: int) -> np.ndarray:
    """float64[samples]; one a minute. Each is half the past and so remembers some ten samples, as averages do."""
    noise = np.random.default_rng(seed).gamma(4.0, 0.25, size=samples + 200)
    kernel = 0.9 ** np.arange(60)
    return np.convolve(noise, kernel / kernel.sum(), mode="full")[200 : 200 + samples]


def stretch(scores: np.ndarray) -> HeldOutScores:
    return HeldOutScores(scores, np.arange(len(scores), dtype=np.int64) * MINUTE_NS)


def calibrated(parts: list[np.ndarray], alerts: float = 1.0) -> Calibration:
    options = CalibrationOptions(method="budget", alerts_per_week=alerts)
    return calibrate([stretch(part) for part in parts], options, count)


@pytest.fixture(scope="module")
def fresh() -> HeldOutScores:
    """Ten weeks that no threshold was set on."""
    return stretch(smoothed(999, 10 * WEEK))


@pytest.mark.parametrize("hours", [8, 16, 36])
def test_a_budget_is_kept_on_fresh_data_after_hours_of_calibration(hours: int, fresh: HeldOutScores) -> None:
    found = [calibrated([smoothed(seed, hours * HOUR), smoothed(100 + seed, hours * HOUR)]) for seed in range(8)]
    opened = [count(fresh.scores, fresh.times_ns, one.threshold) / 10 for one in found]
    assert np.mean(opened) < 1.2
    assert max(opened) < 4


def test_the_tail_of_excursions_is_extrapolated_where_there_are_enough(fresh: HeldOutScores) -> None:
    found = calibrated([smoothed(1, 2 * WEEK)], alerts=0.4)
    assert found.method == "alert_budget"
    # What ten weeks open of themselves at such a rate: the threshold is no higher than it has to be.
    assert found.threshold < 1.15 * calibrated([fresh.scores], alerts=0.4).threshold


def test_a_budget_just_too_small_to_be_counted_has_about_the_threshold_of_one_just_large_enough() -> None:
    scores = [smoothed(seed, 3 * WEEK) for seed in (1, 2)]
    extrapolated, counted = (calibrated(scores, alerts / 6).threshold for alerts in (0.99, 1.01))
    assert counted <= extrapolated < 1.1 * counted


def test_few_excursions_are_no_tail_however_many_samples_they_last() -> None:
    scores = np.tile(np.r_[np.full(190, 1.0), np.linspace(2, 3, 10)], 10)
    found = calibrated([scores])
    assert (found.method, found.threshold) == ("highest_score", pytest.approx(1.5 * scores[-2]))


def test_each_excursion_gives_its_highest_level_and_the_longest_pauses_part_them() -> None:
    levels = np.array([0.0, 2, 3, 0, 2, 0, 0, 0, 5, 4, 0.0])
    part = OpeningLevels(levels, np.arange(11, dtype=np.int64))
    other = OpeningLevels(np.array([0.0, 7]), np.array([20, 21], dtype=np.int64))
    assert excursion_peaks([part, other], 1.0, 3).tolist() == [3, 5, 7]
    assert excursion_peaks([part, other], 1.0, 4).tolist() == [3, 2, 5, 7]
    assert excursion_peaks([part], 9.0, 3).size == 0
    assert excursion_peaks([part], 1.0, 0).tolist() == [5]


def test_an_incident_opens_below_the_least_of_the_scores_that_it_takes() -> None:
    found = OpeningLevels.of(np.array([1.0, 3, np.nan, 2, 5]), np.arange(5, dtype=np.int64), 2)
    assert (found.levels.tolist(), found.times_ns.tolist()) == ([1, 2, 2], [1, 3, 4])
    assert OpeningLevels.of(np.array([1.0]), np.arange(1, dtype=np.int64), 2).levels.size == 0
    assert found.at_most(1.0).times_ns.tolist() == [1]


def test_a_tail_to_extrapolate_by_has_no_end() -> None:
    ending = np.random.default_rng(0).random(500)
    found = fit_endless(ending)
    assert (found.shape, found.scale) == (0.0, pytest.approx(ending.mean()))
    heavy = 1 / (1 - np.random.default_rng(0).random(500)) ** 0.4 - 1
    assert fit_endless(heavy).shape > 0.2


def test_what_the_held_out_data_cannot_show_is_said() -> None:
    said = calibrated([smoothed(1, 8 * HOUR), smoothed(2, 8 * HOUR)]).shortfall
    assert said is not None
    assert said.startswith("held-out data of 16 hours, all series together, cannot show one alert a week")
    assert said.endswith(
        ": train on more history, or look at what other thresholds would have opened with 'detector replay --what-if'"
    )
    assert "cannot show 0.25 alerts a week" in (calibrated([smoothed(1, WEEK)], 0.25).shortfall or "")
    assert "held-out data of 5 days" in (calibrated([smoothed(1, 5 * 24 * HOUR)]).shortfall or "")


def test_more_alerts_to_expect_than_were_asked_for_are_said() -> None:
    said = calibrated([smoothed(1, 8 * HOUR)], 0.0).shortfall
    assert said is not None
    assert said.startswith("up to ")
    assert "a week and series can come where 0 were asked for" in said


def test_a_budget_that_the_data_shows_is_not_commented() -> None:
    found = calibrated([smoothed(1, 3 * WEEK)])
    assert found.shortfall is None
    assert found.expected_alerts_per_day is not None
    assert 0 < 7 * found.expected_alerts_per_day <= 1 + 1e-9
    by_risk = calibrate([stretch(smoothed(1, 600))], CalibrationOptions(), count)
    assert by_risk.shortfall is None
