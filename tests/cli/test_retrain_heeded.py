"""A model that is trained anew does what people said of the one before, or does not take its place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.alerting.timestamps import format_time
from detector.cli.common.policies import incident_policy
from detector.cli.retrain.heeded import Heeded, Said, follows, heed
from detector.feedback.recalibration import ScoredSeries
from detector.feedback.verdicts import Verdict
from detector.retraining.comparison import Contender, Decision, scored
from detector.settings import IncidentSettings, StreamSettings
from models.bundle import Bundle, load_bundle, open_runtime, write_recalibrated
from tests.cli.conftest import Made, training_data
from tests.cli.test_recalibrated import incident

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BETTER = Decision(True, ("it finds more",))


def verdict(word: Any, first: int, last: int, of: ScoredSeries, series: str = "web-1") -> Verdict:
    subject = f"{word.encode().hex()}{first:x}".ljust(32, "0")[:32]
    return Verdict(
        subject_id=subject, verdict=word, incident_id=subject, kind="reconstruction", stream="s", series=series,
        started_at=format_time(int(of.times_ns[first])), ended_at=format_time(int(of.times_ns[last])), author="jo",
        given_at=format_time(0),
    )  # fmt: skip


@pytest.fixture
def challenger(made: Made, tmp_path: Path) -> Bundle:
    """A bundle just trained, with a threshold by its budget."""
    shutil.copytree(made.path, tmp_path / "challenger")
    return load_bundle(tmp_path / "challenger")


@pytest.fixture
def champion(challenger: Bundle, tmp_path: Path) -> Bundle:
    """Another bundle, whose threshold people moved."""
    moved = replace(challenger.calibration, method="feedback", threshold=99.0, feedback={"verdicts": []})
    write_recalibrated(tmp_path / "champion", challenger, moved, challenger.habits, NOW)
    return load_bundle(tmp_path / "champion")


@pytest.fixture
def scores(challenger: Bundle) -> dict[str, ScoredSeries]:
    chain = challenger.chain(open_runtime(challenger))
    policy = incident_policy(challenger, IncidentSettings())
    spec = challenger.spec
    found = scored(Contender(chain, policy, spec.window, spec.period_ns, 2, 0.5), training_data())
    # Two stretches far above the threshold of the budget, one higher than the other.
    series = found["web-1"]
    assert len(series.scores) == len(series.times_ns) == 120
    high = series.scores.copy()
    high[40:50], high[80:90] = np.array([[3.0], [6.0]]) * challenger.calibration.threshold
    return {"web-1": ScoredSeries(high, series.times_ns)}


def heeded(challenger: Bundle, champion: Bundle, said: Said, scores: Any, **incidents: Any) -> Heeded:
    document = {"name": "s", "topic": "t", "model": "m", "incidents": incidents}
    return heed(challenger, champion, said, scores, StreamSettings.model_validate(document), 1e9, NOW)


@pytest.mark.parametrize("override", [None, 1.0])
def test_a_false_alarm_stays_one_and_the_record_goes_on(
    challenger: Bundle, champion: Bundle, scores: Any, override: float | None
) -> None:
    alarm = verdict("false_alarm", 40, 49, scores["web-1"])
    own = challenger.calibration.threshold
    result = heeded(challenger, champion, Said([alarm], []), scores, threshold=override)
    found = result.bundle
    assert found.path == challenger.path
    assert found.digest != challenger.digest
    assert found.calibration.method == "feedback"
    assert 3 * own < found.calibration.threshold < 6 * own
    record: Any = found.calibration.feedback
    assert (record["from_model"], record["from_threshold"]) == (champion.digest, own)
    assert [(row["subject_id"], row["outcome"]) for row in record["verdicts"]] == [(alarm.subject_id, "mended")]
    assert (result.verdicts, result.known, result.judge(BETTER)) == (1, 1, BETTER)
    assert follows(found, Said([alarm], []))  # and so the next round does the same


def test_what_no_threshold_of_the_new_model_can_do_keeps_the_present_one(
    challenger: Bundle, champion: Bundle, scores: Any
) -> None:
    series = scores["web-1"]
    said = Said([verdict("confirmed", 40, 49, series), verdict("false_alarm", 80, 89, series)], [])
    result = heeded(challenger, champion, said, scores)
    assert result.bundle is challenger
    decision = result.judge(BETTER)
    assert not decision.promote
    assert "follows feedback, which that of the new model cannot: no threshold does all" in decision.reasons[0]
    assert "run 'detector recalibrate' on the challenger and move the alias by hand" in decision.reasons[0]
    # Unless people chose before to leave out what contradicts.
    chosen = replace(champion.calibration, feedback={"verdicts": [{"outcome": "set aside"}]})
    result = heeded(challenger, replace(champion, calibration=chosen), said, scores)
    assert result.judge(BETTER) == BETTER
    record: Any = result.bundle.calibration.feedback
    assert sorted(row["outcome"] for row in record["verdicts"]) == ["as before", "set aside"]


def test_verdicts_on_times_before_the_history_are_not_lost(challenger: Bundle, champion: Bundle, scores: Any) -> None:
    series = scores["web-1"]
    old = Said([verdict("false_alarm", 40, 49, series, series="web-9")], [])
    result = heeded(challenger, champion, old, scores)
    assert (result.bundle, result.verdicts, result.known) == (challenger, 1, 0)
    (reason,) = result.judge(BETTER).reasons
    assert "this history has nothing of what it is about: give a longer --since" in reason


def test_silences_that_were_called_ordinary_are_so_for_the_new_model(
    challenger: Bundle, champion: Bundle, scores: Any
) -> None:
    event, silence = incident("silence", "web-1", 86_400.0)
    result = heeded(challenger, champion, Said([silence], [event]), scores)
    assert result.bundle.habits.gap_seconds is not None
    assert result.bundle.habits.gap_seconds > (challenger.habits.gap_seconds or 0)
    assert result.bundle.calibration.threshold == challenger.calibration.threshold
    assert (result.known, result.judge(BETTER)) == (1, BETTER)


def test_a_plain_budget_stays_plain(challenger: Bundle, champion: Bundle, scores: Any) -> None:
    alarm = verdict("false_alarm", 40, 49, scores["web-1"])
    assert not follows(challenger, Said([alarm], []))
    assert not follows(champion, Said([], []))
