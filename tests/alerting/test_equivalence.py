"""Events depend on the sequence of a series' samples and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alerting.events import decode, encode
from detector.alerting.identity import Identity
from detector.alerting.incidents import IncidentTracker, ScoredSample
from detector.alerting.lifecycle import count_incidents
from detector.alerting.policy import IncidentPolicy

SECOND = 1_000_000_000
IDENTITY = Identity("s", "c", "t", 0, "m", "v", "f")
SERIES = ("a", "b", "c")

policies = st.builds(
    IncidentPolicy,
    threshold=st.just(1.0),
    quiet_score=st.sampled_from([0.5, 0.8, 1.0]),
    open_after=st.integers(1, 4),
    close_after=st.integers(1, 4),
    cool_down_ns=st.sampled_from([0, SECOND, 7 * SECOND, 2**64]),
    update_every_ns=st.sampled_from([1, 5 * SECOND, 2**62]),
    warning_ratio=st.just(1.5),
    critical_ratio=st.just(2.5),
    top_channels=st.integers(1, 3),
    channels=st.just(("x", "y")),
)
# Runs of one level, so that incidents really happen.
levels = st.sampled_from([0.0, 0.5, 0.8, 0.9, 1.0, 1.1, 1.6, 2.0, 3.0, float("nan")])
score_runs = st.lists(st.tuples(levels, st.integers(1, 6)), max_size=25).map(
    lambda runs: [level for level, length in runs for _ in range(length)]
)
steps = st.lists(
    st.tuples(st.sampled_from(SERIES), st.one_of(st.sampled_from(["gap", "forgotten"]), levels), st.integers(1, 6)),
    max_size=40,
).map(
    lambda runs: [
        (series, what) for series, what, length in runs for _ in range(1 if isinstance(what, str) else length)
    ]
)


def scored(series: str, index: int, score: float) -> ScoredSample:
    return ScoredSample(
        series=series,
        time_ns=index * SECOND,
        offset=index,
        start_offset=max(index - 5, 0),
        score=score,
        contributions=np.array([score * 0.25, score * 0.75], np.float32),
        seen=np.array([float(index), np.nan]),
        expected=np.array([1.0, 2.0]),
    )


def run(policy, script, prefilter, moves=None):
    """Events by series as bytes; at the steps in ``moves`` every series is carried to a new tracker."""
    tracker = IncidentTracker(policy, IDENTITY)
    told: dict[str, list[bytes]] = {series: [] for series in SERIES}
    for index, (series, what) in enumerate(script):
        if moves is not None and index in moves:
            successor = IncidentTracker(policy, IDENTITY)
            for name in SERIES:
                saved = tracker.snapshot(name)
                if saved is not None:
                    successor.restore(name, saved)
            tracker = successor
        if isinstance(what, str):
            events = tracker.reset(series, index * SECOND, index, what)
        elif prefilter and not (what > policy.quiet_score or tracker.needs_attention(series)):
            continue
        else:
            events = tracker.advance(scored(series, index, what))
        told[series] += map(encode, events)
    return told, tracker.open_incidents()


@settings(max_examples=300, deadline=None)
@given(policy=policies, script=steps, moves=st.sets(st.integers(0, 240)))
def test_neither_restarts_nor_the_filter_of_quiet_samples_change_an_event(policy, script, moves):
    expected = run(policy, script, prefilter=False)
    assert run(policy, script, prefilter=True) == expected
    assert run(policy, script, prefilter=False, moves=moves) == expected
    assert run(policy, script, prefilter=True, moves=moves) == expected


@settings(max_examples=100, deadline=None)
@given(policy=policies, script=steps)
def test_a_series_does_not_hear_of_the_others(policy, script):
    together, _ = run(policy, script, prefilter=True)
    for series in SERIES:
        # The same indices, hence the same times and offsets, but nothing happens to the others.
        tracker = IncidentTracker(policy, IDENTITY)
        alone = []
        for index, (name, what) in enumerate(script):
            if name != series:
                continue
            if isinstance(what, str):
                events = tracker.reset(series, index * SECOND, index, what)
            else:
                events = tracker.advance(scored(series, index, what))
            alone += map(encode, events)
        assert alone == together[series]


@settings(max_examples=200, deadline=None)
@given(policy=policies, scores=score_runs)
def test_counting_agrees_with_the_tracker(policy, scores):
    tracker = IncidentTracker(replace(policy, channels=()), IDENTITY)
    opened = sum(
        event.event == "opened"
        for index, score in enumerate(scores)
        for event in tracker.advance(scored("a", index, score))
    )
    times = np.arange(len(scores), dtype=np.int64) * SECOND
    assert count_incidents(np.array(scores, np.float64), times, policy) == opened


@settings(max_examples=200, deadline=None)
@given(policy=policies, script=steps)
def test_the_steps_of_an_incident_are_in_order(policy, script):
    told, _ = run(policy, script, prefilter=True)
    for series in SERIES:
        expected_next: dict[str, int] = {}
        is_open = None
        for event in map(decode, told[series]):
            assert event.sequence == expected_next.get(event.incident_id, 0)
            expected_next[event.incident_id] = event.sequence + 1
            if event.event == "opened":
                assert is_open is None
                assert event.sequence == 0
                is_open = event.incident_id
            else:
                assert is_open == event.incident_id
                if event.event == "closed":
                    is_open = None
            assert event.started_at <= event.peak_at <= event.updated_at
            assert event.started_at <= event.opened_at <= event.updated_at
