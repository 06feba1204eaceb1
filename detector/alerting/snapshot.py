"""A series' incident state as bytes: version, checksum, MessagePack."""

from __future__ import annotations

import msgspec

from detector.alerting.evidence import Evidence, Opened
from detector.alerting.framing import Framing
from detector.alerting.lifecycle import Lifecycle
from detector.series.snapshot import SnapshotError

SNAPSHOT_VERSION = 1


class TrackState(msgspec.Struct, array_like=True):
    """Everything that is needed to go on with a series exactly.

    Attributes:
        lifecycle: Always.
        evidence: While a run above the threshold or an incident is under way.
        opened: While an incident is open.
    """

    lifecycle: Lifecycle
    evidence: Evidence | None = None
    opened: Opened | None = None


_framing = Framing(TrackState, SNAPSHOT_VERSION, "an incident snapshot")


def encode_track(state: TrackState) -> bytes:
    """Bytes of a state."""
    return _framing.encode(state)


def decode_track(data: bytes) -> TrackState:
    """Read a state.

    Raises:
        SnapshotError: of another version, damaged, or contradicting itself; the message says which.
    """
    state = _framing.decode(data)
    lifecycle = state.lifecycle
    if (state.opened is not None) != lifecycle.is_open or (state.evidence is not None) != lifecycle.under_way:
        raise SnapshotError("an incident snapshot contradicts itself")
    return state
