"""From verdicts and scores to a threshold, on scores that can be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.policy import IncidentPolicy
from detector.alerting.timestamps import format_time
from detector.feedback.contradictions import ContradictionError
from detector.feedback.recalibration import WEEK_NS, ScoredSeries, recalibrate
from detector.feedback.verdicts import Verdict, missed_id

SECOND = 1_000_000_000
POLICY = IncidentPolicy(
    threshold=2.0, quiet_score=1.6, open_after=2, close_after=2, cool_down_ns=0, update_every_ns=2**62,
    warning_ratio=2.0, critical_ratio=5.0, top_channels=1, channels=(),
)  # fmt: skip


def series(*scores: float, step: int = SECOND) -> ScoredSeries:
    return ScoredSeries(np.array(scores, float), np.arange(len(scores)) * step)


def verdict(kind: str, name: str, first: int, last: int, step: int = SECOND) -> Verdict:
    subject = missed_id(kind, name, str(first), str(last))
    return Verdict(
        subject_id=subject, verdict=kind, incident_id=None if kind == "missed" else subject, kind="reconstruction",
        stream="s", series=name, started_at=format_time(first * step), ended_at=format_time(last * step),
        author="jo", given_at=format_time(0),
    )  # fmt: skip


def outcomes(result):
    return [(e.level, e.before, e.after, e.word) for e in result.effects]


def test_the_threshold_rises_until_a_false_alarm_would_not_have_opened_and_no_further():
    history = {"a": series(1, 3, 3.5, 3, 1, 1, 9, 9, 1, 1)}
    alarm, right = verdict("false_alarm", "a", 1, 3), verdict("confirmed", "a", 6, 7)
    result = recalibrate([alarm, right], history, POLICY, 1.0)
    # Two in a row above the threshold open: 3 and 3.5, then 3.5 and 3. The level is 3, not the peak.
    assert result.after == pytest.approx(3 * 1.02)
    assert outcomes(result) == [(3.0, True, False, "mended"), (9.0, True, True, "as before")]
    assert (result.incidents_before, result.incidents_after, result.unmarked_after) == (2, 1, 0)


def test_it_stays_below_what_was_confirmed_however_near():
    history = {"a": series(1, 3, 3, 1, 1, 3.03, 3.03, 1, 1)}
    result = recalibrate([verdict("false_alarm", "a", 1, 2), verdict("confirmed", "a", 5, 6)], history, POLICY, 1.0)
    assert 3 < result.after < 3.03
    assert [e.word for e in result.effects] == ["mended", "as before"]


def test_it_falls_until_a_miss_would_have_opened():
    history = {"a": series(0.1, 0.1, 1.5, 1.4, 0.1, 0.1)}
    result = recalibrate([verdict("missed", "a", 1, 4)], history, POLICY, 1.0)
    assert result.after == pytest.approx(1.4 / 1.02)
    assert outcomes(result) == [(1.4, False, True, "mended")]


def test_it_falls_only_as_far_as_alerts_allow_the_clearest_miss_first():
    step = WEEK_NS // 20
    clear, faint, noise = [1.5, 1.5], [0.5, 0.5], [0.9, 0.9, 0.1, 0.1] * 4
    history = {"a": series(0.1, *clear, 0.1, 0.1, *faint, 0.1, 0.1, *noise, step=step)}
    misses = [verdict("missed", "a", 1, 2, step), verdict("missed", "a", 5, 6, step)]
    result = recalibrate(misses, history, POLICY, 1.0)
    assert result.after == pytest.approx(1.5 / 1.02)
    assert [e.word for e in result.effects] == ["mended", "not mended"]
    assert recalibrate(misses, history, POLICY, 5.0).after == pytest.approx(0.5 / 1.02)
    assert recalibrate(misses, history, POLICY, 5.0).unmarked_after == 4


def test_it_falls_no_further_than_a_false_alarm():
    history = {"a": series(0.1, 1.5, 1.5, 0.1, 0.1, 1.49, 1.49, 0.1, 0.1)}
    result = recalibrate([verdict("missed", "a", 1, 2), verdict("false_alarm", "a", 5, 6)], history, POLICY, 9.0)
    assert 1.49 <= result.after < 1.5
    assert [e.word for e in result.effects] == ["mended", "as before"]


@pytest.mark.parametrize("kind", ["missed", "confirmed"])
def test_what_contradicts_is_refused_and_named(kind):
    history = {"a": series(1, 3, 3, 1, 1), "b": series(1, 2.5, 2.5, 1, 1)}
    with pytest.raises(ContradictionError) as raised:
        recalibrate([verdict("false_alarm", "a", 1, 2), verdict(kind, "b", 1, 2)], history, POLICY, 1.0)
    text = str(raised.value)
    assert "no threshold does all that the feedback asks: the false alarm" in text
    assert "of 'a' scores 3, the" in text
    assert "of 'b' only 2.5. Without the false alarm" in text
    assert "the threshold would go from 2 to 2" in text
    assert "--set-aside does that. Or withdraw what is wrong with 'detector feedback mark --verdict withdrawn'" in text


def test_as_few_verdicts_as_possible_are_set_aside():
    history = {"a": series(1, 9, 9, 1, 1), "b": series(1, 5, 5, 1, 1), "c": series(1, 3, 3, 1, 1)}
    verdicts = [verdict("false_alarm", "a", 1, 2), verdict("confirmed", "b", 1, 2), verdict("false_alarm", "c", 1, 2)]
    with pytest.raises(
        ContradictionError, match=r"the threshold would go from 2 to 3\.06, and of the other verdicts be"
    ):
        recalibrate(verdicts, history, POLICY, 1.0)
    result = recalibrate(verdicts, history, POLICY, 1.0, set_aside=True)
    assert result.after == pytest.approx(3.06)
    assert [effect.word for effect in result.effects] == ["set aside", "as before", "mended"]


def test_of_as_many_the_fault_is_kept():
    history = {"a": series(1, 9, 9, 1, 1), "b": series(1, 5, 5, 1, 1)}
    verdicts = [verdict("false_alarm", "a", 1, 2), verdict("confirmed", "b", 1, 2)]
    result = recalibrate(verdicts, history, POLICY, 1.0, set_aside=True)
    assert (result.after, [effect.word for effect in result.effects]) == (2.0, ["set aside", "as before"])


def test_what_is_as_wanted_changes_nothing():
    history = {"a": series(1, 3, 3, 1, 1), "b": series(1, 1, 1, 1, 1)}
    verdicts = [verdict("confirmed", "a", 1, 2), verdict("false_alarm", "b", 1, 2)]
    result = recalibrate(verdicts, history, POLICY, 1.0)
    assert result.after == result.before == 2.0


def test_times_that_the_history_lacks_are_said():
    history = {"a": series(1, 3, 3, 1, 1)}
    missing = [verdict("missed", "b", 1, 2), verdict("missed", "a", 50, 60)]
    result = recalibrate([verdict("false_alarm", "a", 1, 2), *missing], history, POLICY, 1.0)
    assert [e.word for e in result.effects] == ["mended", "not in the history", "not in the history"]


levels = st.sampled_from([0.2, 0.9, 1.3, 1.9, 2.1, 2.6, 4.0, float("nan")])
runs = st.lists(st.tuples(levels, st.integers(1, 4)), min_size=3, max_size=25)
marks = st.lists(
    st.tuples(st.sampled_from(["false_alarm", "confirmed", "missed"]), st.integers(0, 40), st.integers(1, 12)),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(runs=runs, marks=marks, budget=st.sampled_from([0.0, 1e6]))
def test_it_never_makes_a_false_alarm_and_loses_nothing_that_was_found(runs, marks, budget):
    """A false alarm is about what opened in its time, so only those count whose incident began in it."""
    scores = [level for level, length in runs for _ in range(length)]
    verdicts = [verdict(kind, "a", first, first + length) for kind, first, length in marks]
    try:
        result = recalibrate(verdicts, {"a": series(*scores)}, POLICY, budget)
    except ContradictionError:
        return
    for effect in result.effects:
        if effect.level is None:
            continue
        opens = result.after < effect.level
        if effect.verdict.verdict == "false_alarm":
            assert not opens
        elif result.before < effect.level or budget:
            assert opens
            assert effect.after
