from __future__ import annotations

import random

from detector.alerting.summaries import IncidentFold, summarise

START_NS = 1_767_323_045 * 1_000_000_000
SECOND = 1_000_000_000
SCRIPT = [1.5, 1.5, 2.5, 0.1, 0.1, 0.1, 1.5, 1.75]  # one that closed and one that is open


def test_an_incident_is_told_by_its_latest_event(play):
    events = play(SCRIPT)
    closed, still_open = summarise(events)
    assert closed.incident_id == events[0].incident_id
    assert (closed.stream, closed.series, closed.severity) == ("servers", "web-1", "warning")
    assert (closed.started_ns, closed.opened_ns) == (START_NS, START_NS + SECOND)
    assert (closed.peak_ns, closed.ended_ns) == (START_NS + 2 * SECOND, START_NS + 2 * SECOND)
    assert closed.closed_ns == closed.updated_ns == START_NS + 5 * SECOND
    assert (closed.close_reason, closed.duration_seconds, closed.events) == ("quiet", 2.0, 3)
    assert (closed.peak_score, closed.peak_ratio) == (2.5, 2.5)
    assert (closed.partition, closed.first_offset, closed.opened_offset, closed.last_offset) == (3, 93, 101, 105)
    assert not closed.is_open
    assert still_open.is_open
    assert (still_open.ended_ns, still_open.closed_ns, still_open.close_reason) == (None, None, None)
    assert (still_open.events, still_open.peak_ratio) == (1, 1.75)


def test_neither_order_nor_repetition_of_events_matters(play):
    events = play(SCRIPT)
    shuffled = events * 3
    random.Random(7).shuffle(shuffled)
    assert summarise(shuffled) == summarise(events)


def test_the_channels_to_blame_are_named_with_their_share(play):
    (summary,) = summarise(play([1.5, 1.5]))
    assert summary.blames() == "cpu 50%, disk 38%"
    assert summary.blames(most=1) == "cpu 50%"


def test_a_fold_knows_how_many_incidents_there_are(play):
    fold = IncidentFold()
    assert len(fold) == 0
    assert fold.summaries() == []
    for event in play(SCRIPT):
        fold.add(event)
    assert len(fold) == 2
