from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import msgspec
import pytest

from detector.alerting.incidents import IncidentTracker
from detector.series.snapshot import SnapshotError

SECOND = 1_000_000_000


def tracker_after(policy, identity, sample, scores):
    tracker = IncidentTracker(policy, identity)
    events = [event for index, score in enumerate(scores) for event in tracker.advance(sample(index, score))]
    return tracker, events


def with_header(payload: bytes, version: int = 1) -> bytes:
    return struct.pack(">BI", version, zlib.crc32(payload)) + payload


@pytest.mark.parametrize("scores", [[], [0.1], [0.9], [1.5, 0.1], [1.5, 1.5, 0.1, 0.1, 0.1]])
def test_a_quiet_series_has_nothing_to_keep(policy, identity, sample, scores):
    tracker, _ = tracker_after(policy, identity, sample, scores)
    assert tracker.snapshot("web-1") is None


def test_a_candidate_an_incident_and_a_cool_down_are_kept(policy, identity, sample):
    cooling = replace(policy, cool_down_ns=10 * SECOND)
    for scores in ([1.5], [1.5, 1.5], [1.5, 1.5, 0.1, 0.1, 0.1]):
        tracker, _ = tracker_after(cooling, identity, sample, scores)
        saved = tracker.snapshot("web-1")
        assert saved is not None
        restored = IncidentTracker(cooling, identity)
        restored.restore("web-1", saved)
        assert restored.snapshot("web-1") == saved
        assert restored.needs_attention("web-1") == tracker.needs_attention("web-1")
        assert restored.open_incidents() == tracker.open_incidents()


def test_restoring_replaces_what_was_known(policy, identity, sample):
    candidate, _ = tracker_after(policy, identity, sample, [1.5])
    opened, _ = tracker_after(replace(policy, cool_down_ns=SECOND), identity, sample, [1.5, 1.5])
    saved = candidate.snapshot("web-1")
    assert saved is not None
    opened.restore("web-1", saved)
    assert opened.open_count() == 0
    assert opened.snapshot("web-1") == saved


def test_restoring_replaces_a_cool_down_as_well(policy, identity, sample):
    cooling, _ = tracker_after(replace(policy, cool_down_ns=60 * SECOND), identity, sample, [1.5, 1.5, 0.1, 0.1, 0.1])
    candidate, _ = tracker_after(policy, identity, sample, [1.5])
    saved = candidate.snapshot("web-1")
    assert saved is not None
    cooling.restore("web-1", saved)
    cooling.advance(sample(1, 0.1))
    assert cooling.snapshot("web-1") is None


def test_an_open_incident_keeps_its_id_and_peak_under_another_model_and_threshold(policy, identity, sample):
    tracker, (opened,) = tracker_after(policy, identity, sample, [1.5, 3.0])
    saved = tracker.snapshot("web-1")
    assert saved is not None
    swapped = IncidentTracker(
        replace(policy, threshold=10.0, quiet_score=8.0, channels=("heat", "load", "disk")),
        replace(identity, model="0" * 64, model_version="next"),
    )
    swapped.restore("web-1", saved)
    closed = [event for index in range(2, 5) for event in swapped.advance(sample(index, 5.0))][-1]
    assert (closed.event, closed.incident_id, closed.sequence) == ("closed", opened.incident_id, 1)
    assert (closed.peak_score, closed.peak_score_over_threshold, closed.threshold) == (3.0, 3.0, 10.0)
    assert closed.channels == opened.channels
    assert closed.model.version == "next"


def test_damage_and_other_versions_are_told_apart(policy, identity, sample):
    tracker, _ = tracker_after(policy, identity, sample, [1.5, 1.5])
    saved = tracker.snapshot("web-1")
    assert saved is not None
    broken = {
        b"": "an incident snapshot of 0 bytes is cut off",
        saved[:4]: "an incident snapshot of 4 bytes is cut off",
        b"\x02" + saved[1:]: "an incident snapshot has version 2; this release reads 1",
        saved[:-1]: f"an incident snapshot of {len(saved) - 1} bytes is damaged: its checksum does not match",
        with_header(b"\xc1"): "an incident snapshot cannot be read: MessagePack data is malformed",
        with_header(b"\x90"): "an incident snapshot cannot be read: Expected `array` of at least length 1, got 0",
        with_header(msgspec.msgpack.encode([[True, 0, 0], None, None])): "an incident snapshot contradicts itself",
    }
    for data, message in broken.items():
        with pytest.raises(SnapshotError) as raised:
            tracker.restore("web-1", data)
        assert message in str(raised.value)
        assert tracker.snapshot("web-1") == saved, "a refused snapshot must change nothing"


def test_any_flipped_bit_is_noticed(policy, identity, sample):
    tracker, _ = tracker_after(policy, identity, sample, [1.5, 1.5])
    saved = tracker.snapshot("web-1")
    assert saved is not None
    for position in range(len(saved)):
        damaged = bytearray(saved)
        damaged[position] ^= 1 << (position % 8)
        with pytest.raises(SnapshotError):
            tracker.restore("web-1", bytes(damaged))
