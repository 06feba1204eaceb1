"""Long incidents are thinned: peak, troughs and edges stay, and it does not matter how often it was done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.alerting.events import ChannelDetail, Event, ModelDetail, SourceDetail
from detector.alerting.timestamps import format_time
from detector.stretches.clip import Clip, kept
from detector.stretches.rings import Rings
from detector.stretches.samples import sample_type

SECOND_NS = 1_000_000_000


def samples(scores: Any, first: int = 0) -> np.ndarray:
    found = np.zeros(len(scores), sample_type(2))
    found["score"] = scores
    found["offset"] = np.arange(first, first + len(scores))
    found["time_ns"] = found["offset"] * SECOND_NS
    return found


def event(closed: int | None = None, sequence: int = 0, ratio: float = 2.0) -> Event:
    at = format_time(0)
    return Event(
        event_id="0" * 32, incident_id="1" * 32, event="opened" if closed is None else "closed", sequence=sequence,
        kind="reconstruction", stream="s", series="a", severity="warning", started_at=at, opened_at=at, updated_at=at,
        peak_at=at, ended_at=None, closed_at=None if closed is None else format_time(closed * SECOND_NS),
        close_reason=None if closed is None else "quiet", duration_seconds=0.0, score=1.0, peak_score=2.0,
        threshold=1.0, score_over_threshold=1.0, peak_score_over_threshold=ratio,
        channels=(ChannelDetail("x", 1.0, 0.5, 1.0, 0.0),), model=ModelDetail("d", "v"),
        source=SourceDetail("c", "t", 0, 0, 0, 0),
    )  # fmt: skip


def thinned(scores: np.ndarray, step: int, most: int = 64, edge: int = 8) -> Clip:
    clip = Clip(event(), after=4, most=most, edge=edge)
    for start in range(0, len(scores), step):
        clip.add(samples(scores[start : start + step], start))
        clip.settle()
    return clip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("step", [1, 7, 400])
def test_the_shape_of_a_long_incident_stays(seed, step):
    random = np.random.default_rng(seed)
    scores = np.cumsum(random.normal(size=1200))
    scores[random.random(1200) < 0.05] = np.nan
    clip = thinned(scores, step)
    found = clip.samples()
    assert 32 <= len(found) <= 128
    assert clip.left_out == 1200 - len(found)
    assert (np.diff(found["offset"]) > 0).all()
    assert np.nanmax(found["score"]) == np.nanmax(scores)
    assert np.nanmin(found["score"]) == np.nanmin(scores)
    assert found["offset"][:8].tolist() == list(range(8))
    assert found["offset"][-8:].tolist() == list(range(1192, 1200))
    # The line through what is left is near all that was left out, in the sense of M4: within its interval's extremes.
    longest = int(np.diff(found["offset"]).max())
    assert longest <= 4 * 1200 / 64 * 2


def test_of_an_interval_the_extremes_stay():
    scores = np.array([3, 1, 2, 9, 9, 4, np.nan, np.nan, np.nan, 5], np.float64)
    assert np.flatnonzero(kept(scores, np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3]))).tolist() == [0, 1, 3, 5, 6, 9]
    assert not len(kept(np.zeros(0), np.zeros(0, np.int64)))


def test_a_clip_ends_some_samples_behind_the_incident():
    clip = Clip(event(), after=4, most=64, edge=8)
    clip.add(samples(np.ones(10)))
    clip.settle()
    clip.note(event(closed=11, sequence=1))
    clip.add(samples(np.ones(5), 10))
    clip.settle()
    assert not clip.complete
    clip.add(samples(np.ones(50), 15))
    clip.settle()
    assert clip.complete
    assert clip.samples()["offset"].tolist() == list(range(16))
    clip.add(samples(np.ones(5), 65))
    assert (len(clip), clip.left_out) == (16, 0)
    clip.note(event(sequence=0))
    assert clip.event.sequence == 1


def test_rings_keep_the_last_samples_of_each_series():
    rings: Rings[str] = Rings(16, 1 << 20)
    for start in range(0, 40, 5):
        rings.extend("a", samples(np.ones(5), start))
    rings.extend("b", samples(np.ones(100)))
    dtype = sample_type(2)
    assert rings.last("a", dtype)["offset"].tolist() == list(range(24, 40))
    assert rings.last("b", dtype)["offset"].tolist() == list(range(84, 100))
    assert not len(rings.last("a", sample_type(3)))
    assert not len(rings.last("c", dtype))


def test_more_series_have_shorter_rings_and_further_ones_none():
    size = sample_type(2).itemsize
    rings: Rings[int] = Rings(64, 64 * size * 4)
    kept_of = []
    for series in range(60):
        rings.extend(series, samples(np.ones(64)))
        assert rings.nbytes <= 64 * size * 4
        kept_of.append(len(rings.last(0, sample_type(2))))
    assert sorted(set(kept_of)) == [8, 16, 32, 64]
    assert [len(rings.last(series, sample_type(2))) for series in (31, 32)] == [8, 0]
    # What a ring held before it became shorter is what was last.
    assert rings.last(3, sample_type(2))["offset"].tolist() == list(range(56, 64))
