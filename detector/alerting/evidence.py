"""What is remembered of an incident while it is under way, and what its events say about channels."""

from __future__ import annotations

import math
import sys

import msgspec
import numpy as np
import numpy.typing as npt

from detector.alerting.events import ChannelDetail
from detector.alerting.policy import IncidentPolicy, Severity

_SHARE_DECIMALS = 6


class Evidence(msgspec.Struct, array_like=True):
    """Of a run above the threshold, from its first sample to the end of the incident that it opens.

    Attributes:
        started_ns: First sample above the threshold.
        first_offset: Oldest record in that sample's window.
        peak_ns: Sample with the greatest score so far.
        peak_score: Its score.
        peak_ratio: Its score / threshold; kept apart, since another model may have another threshold.
        channels: Its channels that contribute most.
    """

    started_ns: int
    first_offset: int
    peak_ns: int
    peak_score: float
    peak_ratio: float
    channels: tuple[ChannelDetail, ...]


class Opened(msgspec.Struct, array_like=True):
    """Of an open incident.

    Attributes:
        incident_id: Fixed when it opened.
        opened_ns: Event time of the opening sample.
        opened_offset: Its record.
        sequence: Of the latest event.
        severity: As of the latest event.
        emitted_ns: Event time of the latest event.
        updated_ns: Event time of the latest scored sample.
        loud_ns: Event time of the latest sample that was not quiet.
        score: Of the latest scored sample.
        offset: Of the latest scored sample.
    """

    incident_id: str
    opened_ns: int
    opened_offset: int
    sequence: int
    severity: Severity
    emitted_ns: int
    updated_ns: int
    loud_ns: int
    score: float
    offset: int


def bounded(value: float) -> float:
    """The value, or the greatest finite number in place of infinity, which JSON cannot say."""
    return min(value, sys.float_info.max)


def top_channels(
    policy: IncidentPolicy,
    score: float,
    contributions: npt.NDArray[np.float32],
    seen: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
) -> tuple[ChannelDetail, ...]:
    """The channels that contribute most, greatest first, those of equal contribution in the model's order.

    Channels that contribute nothing, or an unknown amount, are left out.

    Args:
        policy: Names the channels and says how many are wanted; without names there are no details.
        score: Sum of the contributions, above 0.
        contributions: float32[channels].
        seen: float64[channels], the channels' own units; NaN where missing.
        expected: float64[channels], the same units.
    """
    if not policy.channels:
        return ()
    details = []
    for index in np.argsort(-contributions, kind="stable")[: policy.top_channels].tolist():
        if not contributions[index] > 0:  # NaN sorts last
            break
        # The shortest decimal that is this float32, rather than its expansion to 17 digits.
        contribution = bounded(float(str(contributions[index])))
        details.append(
            ChannelDetail(
                channel=policy.channels[index],
                contribution=contribution,
                share=round(contribution / score, _SHARE_DECIMALS),
                seen=_finite_or_none(float(seen[index])),
                expected=_finite_or_none(float(expected[index])),
            )
        )
    return tuple(details)


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
