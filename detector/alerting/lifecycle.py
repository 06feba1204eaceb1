"""When an incident opens and closes, from nothing but the scores and times of one series.

::

              above threshold            open_after in a row, cool-down over
      quiet ------------------> candidate ------------------------------------> open <-------.
        ^                           |                                            |           | not quiet
        |<--------------------------'                           quiet            v           |
        |        not above                                                    quieting ------'
        |                                                                        |
        `------------------------- cooling down <--------------------------------'
                cool-down over                    close_after quiet in a row

Cooling down differs from quiet in one thing: a candidate does not open before its end. This is the only place where
these rules live; live tracking and the counting of expected alerts in calibration both go through it.
"""

from __future__ import annotations

import enum

import msgspec
import numpy as np
import numpy.typing as npt

from detector.alerting.policy import IncidentPolicy

NEVER_NS = -(2**63)
_LATEST_NS = 2**63 - 1


class Step(enum.Enum):
    """What a score did to its series."""

    IDLE = "idle"
    """Nothing is under way, before and after."""
    CANDIDATE = "candidate"
    """A run above the threshold began or went on, without opening an incident yet."""
    ABANDONED = "abandoned"
    """The run ended before it opened an incident."""
    OPENED = "opened"
    """An incident opened with this sample."""
    HELD = "held"
    """The incident stays open."""
    CLOSED = "closed"
    """The incident closed with this sample."""


class Lifecycle(msgspec.Struct, array_like=True):
    """State of one series.

    Attributes:
        is_open: Whether an incident is open.
        run: While open, quiet samples in a row; otherwise, samples in a row above the threshold.
        cool_down_until_ns: No incident opens before this event time.
    """

    is_open: bool = False
    run: int = 0
    cool_down_until_ns: int = NEVER_NS

    @property
    def under_way(self) -> bool:
        """Whether quiet scores matter: an incident is open, or a run above the threshold has begun."""
        return self.is_open or self.run > 0

    def advance(self, score: float, time_ns: int, policy: IncidentPolicy) -> Step:
        """Take the next score, which must not be NaN: what is not known neither opens nor quiets anything."""
        if self.is_open:
            if score > policy.quiet_score:
                self.run = 0
                return Step.HELD
            self.run += 1
            if self.run < policy.close_after:
                return Step.HELD
            self.close(time_ns, policy)
            return Step.CLOSED
        if score <= policy.threshold:
            if self.run == 0:
                return Step.IDLE
            self.run = 0
            return Step.ABANDONED
        self.run += 1
        if self.run < policy.open_after or time_ns < self.cool_down_until_ns:
            return Step.CANDIDATE
        self.is_open = True
        self.run = 0
        return Step.OPENED

    def close(self, time_ns: int, policy: IncidentPolicy) -> None:
        """End the open incident at ``time_ns`` and begin to cool down."""
        self.is_open = False
        self.run = 0
        if policy.cool_down_ns:
            self.cool_down_until_ns = min(time_ns + policy.cool_down_ns, _LATEST_NS)


def count_incidents(scores: npt.NDArray[np.float64], time_ns: npt.NDArray[np.int64], policy: IncidentPolicy) -> int:
    """How many incidents one series' scores would open; the arguments are those of `incident_spans`."""
    return len(incident_spans(scores, time_ns, policy))


def incident_spans(
    scores: npt.NDArray[np.float64], time_ns: npt.NDArray[np.int64], policy: IncidentPolicy
) -> list[tuple[int, int]]:
    """When the incidents open and close that one series' scores would open.

    Args:
        scores: float64[n], in the order of the samples; NaN where unknown.
        time_ns: int64[n], event times.
        policy: The very one that the worker would use; its channels do not matter.

    Returns:
        Event time of the opening and of the closing sample of each; of one that stays open, of the last sample.

    Raises:
        ValueError: the arrays are not of one length.
    """
    if scores.shape != time_ns.shape or scores.ndim != 1:
        raise ValueError(f"scores has the shape {scores.shape} and time_ns {time_ns.shape}; both must be [n]")
    known = ~np.isnan(scores)
    scores, time_ns = scores[known], time_ns[known]
    # While nothing is under way only a score above the threshold changes anything, so go from one to the next.
    above = np.flatnonzero(scores > policy.threshold)
    values, times = scores.tolist(), time_ns.tolist()
    lifecycle = Lifecycle()
    spans: list[tuple[int, int]] = []
    position = 0
    for start in above.tolist():
        if start < position:
            continue
        position = start
        while position < len(values):
            step = lifecycle.advance(values[position], times[position], policy)
            if step is Step.OPENED:
                spans.append((times[position], times[-1]))
            elif step is Step.CLOSED:
                spans[-1] = (spans[-1][0], times[position])
            position += 1
            if step is Step.ABANDONED or step is Step.CLOSED:
                break
    return spans
