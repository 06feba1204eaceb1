"""How far event time has come in a partition: as far as its series agree, not as far as one of them says.

A device whose clock is ahead must not make all others look silent. So a series on its own moves the watermark only
within reach of what another series has reported: an eighth of the shortest silence that has consequences
(``forget_after``, ``max_jump``), which leaves seven eighths of it to everybody else. A sample further ahead is a
*claim*. It is believed after a few claims of several series near each other, or after many of one series, provided that
no series reports from the old time in between: that is a partition that goes on after an outage, or one in which a
single series is left. What is believed follows from the samples and their order alone.

The known limit: a wrong clock that speaks more often, by the factor of `WindowSpec.claims_alone`, than all others of
the partition together is believed.
"""

from __future__ import annotations

import msgspec

_NEVER = -(1 << 100)
_SWEEPS_PER_FORGETTING = 8
_REACHES = 8
# What a series that proved to be alone may step ahead at once, in reaches: half of the silence that has consequences.
_STEP_ALONE = 4


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """A time beyond reach that was reported and is not believed yet.

    Attributes:
        series: Which reported the greatest time.
        time_ns: That time.
        other_ns: Greatest time nearby that another series reported; None if none did.
        count: Readings in favour.
        misses: Reports of a still later time, by other series, since the last reading in favour.
    """

    series: str
    time_ns: int
    other_ns: int | None
    count: int
    misses: int


class ClockState(msgspec.Struct, frozen=True, array_like=True):
    """All that a partition's watermark depends on.

    Attributes:
        watermark_ns: Greatest event time believed, nanoseconds since the epoch.
        leader: Series that reported it; None when that is not known.
        others_ns: Greatest time that any other series reported, as far as it is believed.
        alone: Readings of the leader, up to a limit, since another series reported.
        claim: What may be believed next.
    """

    watermark_ns: int
    leader: str | None
    others_ns: int
    alone: int
    claim: Claim | None


class Watermark:
    """The greatest event time believed so far, and when the next look for silent series is due.

    A look is due when the watermark reaches a multiple of an eighth of ``forget_after_ns``: that follows from the
    records alone, and it is rare enough to look at every series.

    Args:
        forget_after_ns: Silence after which a series is forgotten.
        max_jump_ns: Step of a series that it must confirm.
        min_apart_ns: Samples of a series nearer than this are one reading.
        claims_alone: Readings of one series by which a claim is believed.
        claims_shared: The same, if at least two series agree.

    Attributes:
        ns: Nanoseconds since the epoch; far below every time while nothing is known.
    """

    __slots__ = (
        "_alone", "_claim", "_claims_alone", "_claims_shared", "_held", "_leader", "_min_apart_ns", "_others_ns",
        "_reach_ns", "_sweep_at_ns", "_sweep_every_ns", "ns",
    )  # fmt: skip

    def __init__(
        self, forget_after_ns: int, max_jump_ns: int, min_apart_ns: int, claims_alone: int, claims_shared: int
    ) -> None:
        self._reach_ns = max(1, min(forget_after_ns, max_jump_ns) // _REACHES)
        self._min_apart_ns = min_apart_ns
        self._claims_alone = claims_alone
        self._claims_shared = claims_shared
        self._sweep_every_ns = max(1, forget_after_ns // _SWEEPS_PER_FORGETTING)
        self._sweep_at_ns = self.ns = self._others_ns = _NEVER
        self._leader: str | None = None
        self._alone = 0
        self._claim: Claim | None = None
        self._held = False

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return self.ns != _NEVER

    @property
    def agreed_ns(self) -> int:
        """The greatest time that at least two series have reached, or that the only one left has."""
        return self.ns if self._alone >= self._claims_alone else self._others_ns

    @property
    def state(self) -> ClockState | None:
        """Everything, or None when there is no watermark."""
        if not self.known:
            return None
        return ClockState(self.ns, self._leader, self._others_ns, self._alone, self._claim)

    @state.setter
    def state(self, state: ClockState | None) -> None:
        self._claim, self._leader, self._alone = None, None, 0
        self._sweep_at_ns = self.ns = self._others_ns = _NEVER
        if state is not None:
            self._leader, self._others_ns = state.leader, state.others_ns
            self._alone, self._claim = state.alone, state.claim
            self._move(state.watermark_ns)

    def hold(self, held: bool) -> None:
        """Whether samples leave it alone for now, as while records are read again that it knows already."""
        self._held = held

    def observe(self, series: str, time_ns: int) -> bool:
        """Take note of a sample that is later than all before of its series.

        Returns:
            Whether a look for silent series is due.
        """
        if self._held:
            return False
        if not self.known:
            self._leader, self._others_ns = series, time_ns
            self._move(time_ns)
            return False
        leads = series == self._leader
        if not leads:
            reach_ns = self.ns + self._reach_ns
        elif self._alone >= self._claims_alone:
            reach_ns = self.ns + _STEP_ALONE * self._reach_ns
        else:
            reach_ns = self._others_ns + self._reach_ns
        if time_ns > reach_ns and time_ns > self.ns:
            return self._claimed(series, time_ns)
        self._claim = None
        if leads:
            if time_ns <= self.ns:
                return False
            if time_ns - self.ns >= self._min_apart_ns and self._alone < self._claims_alone:
                self._alone += 1
        else:
            self._alone = 0
            if time_ns <= self.ns:
                self._others_ns = max(self._others_ns, time_ns)
                return False
            self._leader, self._others_ns = series, self.ns
        return self._move(time_ns)

    def _move(self, time_ns: int) -> bool:
        self.ns = time_ns
        if time_ns < self._sweep_at_ns:
            return False
        due = self._sweep_at_ns != _NEVER
        self._sweep_at_ns = (time_ns // self._sweep_every_ns + 1) * self._sweep_every_ns
        return due

    def _claimed(self, series: str, time_ns: int) -> bool:
        claim = self._claim
        if claim is None:
            claim = Claim(series, time_ns, None, 1, 0)
        elif series == claim.series:
            another = time_ns - claim.time_ns >= self._min_apart_ns
            claim = Claim(series, max(time_ns, claim.time_ns), claim.other_ns, claim.count + another, 0)
        elif abs(time_ns - claim.time_ns) <= self._reach_ns:
            count = claim.count + 1
            if time_ns > claim.time_ns:
                claim = Claim(series, time_ns, claim.time_ns, count, 0)
            else:
                before_ns = _NEVER if claim.other_ns is None else claim.other_ns
                claim = Claim(claim.series, claim.time_ns, max(before_ns, time_ns), count, 0)
        elif time_ns < claim.time_ns or claim.misses + 1 >= self._claims_shared:
            # Of two that disagree the nearer one is the likelier, unless it is not heard of any more.
            claim = Claim(series, time_ns, None, 1, 0)
        else:
            claim = Claim(claim.series, claim.time_ns, claim.other_ns, claim.count, claim.misses + 1)
        if claim.count < (self._claims_alone if claim.other_ns is None else self._claims_shared):
            self._claim = claim
            return False
        self._claim = None
        self._leader = claim.series
        if claim.other_ns is None:
            self._alone = self._claims_alone
        else:
            self._alone, self._others_ns = 0, claim.other_ns
        return self._move(claim.time_ns)
