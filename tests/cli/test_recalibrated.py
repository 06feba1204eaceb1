"""Verdicts on silence and frozen channels: what a bundle then lets pass, and what no bundle can."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from detector.alerting.events import ChannelDetail, Event
from detector.alerting.identity import Identity
from detector.alerting.policy import IncidentPolicy
from detector.alerting.standing import StandingPolicy, StandingTeller
from detector.alerting.timestamps import format_time
from detector.cli.feedback.recalibrated import let_pass, rows_of
from detector.feedback.contradictions import ContradictionError
from detector.feedback.recalibration import recalibrate
from detector.feedback.verdicts import Verdict
from detector.settings import StreamSettings
from models.bundle import Bundle
from models.habits import Habits

SECOND = 1_000_000_000
IDENTITY = Identity("s", "c", "t", 0, "m", "v", "f")
POLICY = IncidentPolicy(1.0, 0.8, 1, 1, 0, 2**62, 2.0, 5.0, 1, ())


def bundle() -> Bundle:
    rest: dict[str, Any] = dict.fromkeys(Bundle.__slots__)
    spec = SimpleNamespace(channels=("a", "b"))
    return Bundle(**rest | {"spec": spec, "habits": Habits(20.0, ("one", "two"), ((30, 8), (10, 8)))})


def stream(**sections: Any) -> StreamSettings:
    return StreamSettings.model_validate({"name": "s", "topic": "t", "model": "m", **sections})


def incident(kind: Any, series: str, lasted: float, begin: int = 1000) -> tuple[Event, Verdict]:
    """An incident's end, and what somebody says of it: that it was a false alarm."""
    teller = StandingTeller(kind, IDENTITY, StandingPolicy())
    channels = (ChannelDetail("a", lasted, 1.0, 5.0, None),) if kind == "frozen" else ()
    end_ns = (begin + round(lasted)) * SECOND
    standing = teller.open(
        series, started_ns=begin * SECOND, first_offset=1, time_ns=end_ns, offset=begin, score=lasted, threshold=1.0,
        channels=channels,
    )  # fmt: skip
    event = teller.tell("closed", series, standing, end_ns, 9, ended_ns=end_ns, reason="forgotten")
    return event, Verdict(
        subject_id=event.incident_id, verdict="false_alarm", incident_id=event.incident_id, kind=kind, stream="s",
        series=series, started_at=event.started_at, ended_at=event.updated_at, author="jo", given_at=format_time(0),
    )  # fmt: skip


def outcomes(rest: Any) -> list[tuple[object, ...]]:
    rows = rows_of(recalibrate([], {}, POLICY, 1.0), rest)
    return [(row["level"], row["before"], row["after"], row["outcome"]) for row in rows]


def test_a_silence_that_is_called_ordinary_makes_gaps_of_its_length_usual():
    event, verdict = incident("silence", "one", 500.0)
    rest = let_pass([verdict], [event], bundle(), stream())
    assert rest.habits.gap_seconds == 100.0  # five of these are 500 seconds
    assert outcomes(rest) == [(500.0, True, False, "mended")]


def test_what_the_settings_decide_no_bundle_mends():
    event, verdict = incident("silence", "one", 500.0)
    rest = let_pass([verdict], [event], bundle(), stream(silence={"after_seconds": 60}))
    assert outcomes(rest) == [(500.0, True, True, "not mended")]


def test_a_frozen_channel_that_is_called_ordinary_may_rest_as_long_in_its_series():
    event, verdict = incident("frozen", "two", 45.0)
    rest = let_pass([verdict], [event], bundle(), stream())
    assert rest.habits.longest_runs == ((30, 8), (23, 8))
    assert outcomes(rest) == [(45.0, True, False, "mended")]


def test_confirmed_incidents_stay_and_are_not_to_be_lost():
    short, alarm = incident("silence", "one", 300.0)
    long, right = incident("silence", "two", 900.0)
    kept = let_pass([alarm, replace(right, verdict="confirmed")], [short, long], bundle(), stream())
    assert outcomes(kept) == [(300.0, True, False, "mended"), (900.0, True, True, "as before")]
    with pytest.raises(ContradictionError) as raised:
        let_pass([replace(alarm, verdict="confirmed"), right], [short, long], bundle(), stream())
    assert str(raised.value).startswith(
        f"the confirmed incident {alarm.subject_id[:8]} of 'one' lasted no longer than a false alarm of kind silence"
    )


def test_what_the_history_lacks_changes_nothing():
    _, verdict = incident("silence", "one", 500.0)
    elsewhere, _ = incident("silence", "one", 500.0, begin=9000)
    rest = let_pass([verdict], [elsewhere], bundle(), stream())
    assert rest.habits == bundle().habits
    assert outcomes(rest) == [(None, False, False, "not in the history")]
