from __future__ import annotations

import json
import math

import numpy as np
import pytest

from models.calibration import Calibration, CalibrationOptions, HeldOutScores, calibrate
from models.calibration.budget import LEAST_THRESHOLD
from models.errors import SpecError, TrainingError
from models.extremes import Pareto, fit_pareto

HOUR_NS = 3_600_000_000_000


def held_out(scores: np.ndarray) -> HeldOutScores:
    return HeldOutScores(scores, np.arange(len(scores), dtype=np.int64) * HOUR_NS)


def exponential(count: int) -> np.ndarray:
    return np.random.default_rng(0).exponential(size=count)


# 5000 samples tell the shape to about (1 + shape) / sqrt(5000) = 0.02; three times that is allowed.
@pytest.mark.parametrize("shape", [-0.4, -0.2, 0.0, 0.2, 0.5, 0.9])
def test_the_tail_of_a_known_distribution_is_found_again(shape):
    known = Pareto(shape, 2.0)
    sample = np.array([known.excess_at(ratio) for ratio in 1 - np.random.default_rng(0).random(5000)])
    found = fit_pareto(sample)
    assert found.shape == pytest.approx(shape, abs=0.06)
    assert found.scale == pytest.approx(2.0, rel=0.1)


def test_excesses_of_known_probability():
    assert Pareto(0.0, 2.0).excess_at(math.exp(-3)) == pytest.approx(6)
    assert Pareto(1.0, 2.0).excess_at(0.25) == pytest.approx(6)
    assert Pareto(-0.5, 2.0).excess_at(1e-12) == pytest.approx(4, rel=1e-5)  # such a tail ends


def test_the_fit_does_not_depend_on_the_unit():
    sample = exponential(500)
    one, thousand = fit_pareto(sample), fit_pareto(sample * 1000)
    assert (thousand.shape, thousand.scale) == pytest.approx((one.shape, one.scale * 1000))


@pytest.mark.parametrize("sample", [[1.0], [1.0, 0.0], [1.0, math.nan], [1.0, math.inf]])
def test_a_tail_needs_finite_excesses(sample):
    with pytest.raises(SpecError, match="at least two finite excesses above 0"):
        fit_pareto(np.array(sample))


def test_equal_excesses_do_not_break_the_fit():
    found = fit_pareto(np.full(30, 2.5))
    assert math.isfinite(found.shape)
    assert 0 < found.scale < math.inf


def test_the_threshold_is_exceeded_as_rarely_as_asked():
    # The exact threshold of an exponential is log(1 / risk).
    for risk in (1e-3, 1e-4):
        found = calibrate([held_out(exponential(100_000))], CalibrationOptions(risk=risk))
        assert found.method == "peaks_over_threshold"
        assert found.threshold == pytest.approx(math.log(1 / risk), rel=0.1)
        assert found.tail_shape == pytest.approx(0, abs=0.06)


def test_few_scores_give_the_highest_and_a_margin():
    found = calibrate([held_out(np.linspace(0.5, 2, 100))])
    assert (found.method, found.threshold, found.tail_shape) == ("highest_score", 3.0, None)


def test_probable_faults_in_the_training_data_do_not_lift_the_threshold():
    clean = exponential(5000)
    dirty = clean.copy()
    dirty[2000:2010] = 500.0
    found = calibrate([held_out(dirty)])
    assert found.outliers == 10
    assert found.threshold < 2 * calibrate([held_out(clean)]).threshold
    assert found.quantiles["1.0"] == 500.0


def test_the_threshold_stands_above_ordinary_scores_and_is_not_extrapolated_without_limit():
    heavy = np.random.default_rng(0).pareto(1.2, size=3000)
    options = CalibrationOptions(risk=1e-6, outlier_ratio=1e9, most_extrapolation=3.0)
    assert calibrate([held_out(heavy)], options).threshold == pytest.approx(3 * heavy.max())
    bounded = np.random.default_rng(0).random(3000)
    assert calibrate([held_out(bounded)]).threshold >= bounded.max()


def test_data_that_never_moves_does_not_alarm_on_rounding():
    for scores in (np.zeros(3000), np.abs(np.random.default_rng(0).normal(scale=1e-12, size=3000))):
        assert calibrate([held_out(scores)]).threshold == LEAST_THRESHOLD


def test_unknown_scores_are_left_out():
    scores = np.linspace(0.5, 2, 100)
    found = calibrate([held_out(np.concatenate([scores, [math.nan] * 50]))])
    assert (found.samples, found.threshold) == (100, 3.0)


def test_without_a_known_score_there_is_no_threshold():
    for nothing in ([], [held_out(np.full(5, math.nan))]):
        with pytest.raises(TrainingError, match="no held-out window could be scored; give more data"):
            calibrate(nothing)


def test_alerts_to_expect_come_from_the_incident_logic():
    calls = []

    def count(scores, times_ns, threshold):
        calls.append((len(scores), threshold))
        return 50 if threshold < 5 else 0

    found = calibrate([held_out(exponential(2401))], CalibrationOptions(risk=1e-3), count)
    # 50 incidents at the 98% quantile over 100 days; at the risk, one in twenty of them.
    assert found.held_out_days == pytest.approx(100)
    assert found.held_out_incidents == 0
    assert found.expected_alerts_per_day == pytest.approx(50 * 1e-3 / 0.02 / 100)
    assert sorted(calls) == [(2401, pytest.approx(found.quantiles["0.98"])), (2401, found.threshold)]


def test_incidents_at_the_threshold_are_expected_again():
    found = calibrate([held_out(exponential(2401))], count_incidents=lambda *_: 7)
    assert found.held_out_incidents == 7
    assert found.expected_alerts_per_day == pytest.approx(0.07)


def test_nothing_is_claimed_when_nobody_counts():
    found = calibrate([held_out(exponential(100))])
    assert (found.held_out_incidents, found.expected_alerts_per_day) == (None, None)


def test_json_gives_an_equal_calibration_back():
    found = calibrate([held_out(exponential(5000))], count_incidents=lambda *_: 1)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0; it must be above 0"),
        ({"open_after": 0}, "open_after is 0"),
        ({"quantiles": {"0.5": "x"}}, "0.5 is 'x'; it must be a finite number"),
    ],
)
def test_values_that_make_no_sense_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        Calibration.from_dict(calibrate([held_out(exponential(100))]).to_dict() | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk": 0.0}, "risk is 0.0"),
        ({"risk": 0.05}, "risk is 0.05"),
        ({"initial_quantile": 1.0}, "initial_quantile is 1.0"),
        ({"least_peaks": 1}, "least_peaks must be at least 2"),
        ({"margin": 0.9}, "must be at least 1"),
    ],
)
def test_options_out_of_range_are_named(change, message):
    with pytest.raises(SpecError, match=message):
        CalibrationOptions(**change)


def runs_above(scores, times_ns, threshold):
    above = scores > threshold
    return int((above & ~np.r_[False, above[:-1]]).sum())


class TestBudget:
    """Hours of eight weeks: 1,344 scores, exponential, in which a run above the threshold is an incident."""

    def calibrated(self, alerts, scores=None, **options):
        chosen = CalibrationOptions(method="budget", alerts_per_week=alerts, **{"open_after": 1, **options})
        return calibrate([held_out(exponential(1344) if scores is None else scores)], chosen, runs_above)

    @pytest.mark.parametrize("alerts", [0.5, 1, 2])
    def test_the_data_would_have_opened_what_is_acceptable_and_hardly_less(self, alerts):
        found = self.calibrated(alerts)
        assert found.method == "alert_budget"
        assert alerts * 8 - 2 <= found.held_out_incidents <= alerts * 8

    def test_a_smaller_budget_gives_a_higher_threshold(self):
        thresholds = [self.calibrated(alerts).threshold for alerts in (2, 1, 0.2, 0.1, 0.01)]
        assert thresholds == sorted(set(thresholds))

    def test_what_the_data_cannot_show_is_extrapolated(self):
        found = self.calibrated(0.05)
        # 0.4 incidents in the time of 1,344 scores: about log(1344 / 0.4).
        assert exponential(1344).max() < found.threshold == pytest.approx(math.log(1344 / 0.4), rel=0.15)

    def test_no_alerts_at_all_is_as_much_as_a_tail_can_tell(self):
        assert math.isfinite(self.calibrated(0).threshold)

    @pytest.mark.parametrize("alerts", [0.01, 2])
    def test_scores_of_which_many_are_equally_high_have_no_peaks(self, alerts):
        capped = np.minimum(exponential(1344), 2.0)
        assert self.calibrated(alerts, capped).threshold >= 2.0

    def test_a_fault_in_the_held_out_data_uses_up_no_budget(self):
        faulty = exponential(1344)
        faulty[300:320] = 500
        assert self.calibrated(1, faulty).threshold == pytest.approx(self.calibrated(1).threshold, rel=0.1)

    @pytest.mark.parametrize("alerts", [1, 0.05])
    def test_a_spike_that_opens_no_incident_does_not_lift_the_threshold(self, alerts):
        # Nine times the 98 % quantile: not far enough out to be taken for a fault.
        spiked = exponential(1344)
        spiked[300] = 9 * np.quantile(spiked, 0.98)
        found, without = (self.calibrated(alerts, scores, open_after=2) for scores in (spiked, exponential(1344)))
        assert found.threshold == pytest.approx(without.threshold, rel=0.01)
        assert found.threshold < spiked.max() / 2

    def test_stretches_that_are_shorter_than_an_incident_are_calibrated_on(self):
        assert self.calibrated(1, np.array([1.0]), open_after=2).method == "highest_score"

    def test_long_runs_are_one_incident(self):
        # The same scores, each eight times over: an incident takes eight samples, and so fewer open in the time.
        found = self.calibrated(1, np.repeat(exponential(168), 8))
        assert found.threshold < self.calibrated(1).threshold

    def test_without_enough_scores_the_highest_and_a_margin(self):
        assert self.calibrated(1, np.linspace(0.5, 2, 100)).method == "highest_score"

    def test_incidents_are_counted_as_live_where_there_is_no_threshold_of_zero(self):
        def count(scores, times_ns, threshold):
            assert threshold > 0
            return runs_above(scores, times_ns, threshold)

        found = calibrate([held_out(np.zeros(300))], CalibrationOptions(method="budget"), count)
        assert (found.threshold, found.held_out_incidents) == (LEAST_THRESHOLD, 0)

    def test_somebody_has_to_count(self):
        with pytest.raises(SpecError, match="an alert budget needs somebody who counts incidents"):
            calibrate([held_out(exponential(100))], CalibrationOptions(method="budget"))


def test_a_quantile_is_just_that():
    scores = exponential(1001)
    found = calibrate([held_out(scores)], CalibrationOptions(method="quantile", quantile=0.9))
    assert (found.method, found.threshold) == ("quantile", np.quantile(scores, 0.9))
    assert found.risk == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("adaptive", ["spot", "dspot"])
def test_an_adaptive_threshold_begins_where_the_calibrated_one_is(adaptive):
    found = calibrate([held_out(exponential(5000))], CalibrationOptions(adaptive=adaptive, depth=99))
    assert found.spot is not None
    assert found.spot.threshold == found.threshold
    assert found.spot.depth == (99 if adaptive == "dspot" else 0)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "no threshold by 'guess'; choose one of: budget, risk, quantile"),
        ({"adaptive": "yes"}, "no adaptive threshold 'yes'; choose one of: none, spot, dspot"),
        ({"alerts_per_week": -1.0}, "alerts_per_week is -1.0; it must be 0 or more"),
        ({"quantile": 1.0}, "quantile is 1.0; it must be between 0 and 1"),
        ({"depth": 0}, "depth is 0; it must be at least 1"),
    ],
)
def test_choices_that_make_no_sense_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        CalibrationOptions(**options)
