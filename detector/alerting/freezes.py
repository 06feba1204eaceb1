"""Channels that keep one value for longer than they ever did in training: one incident for a series, naming them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from detector.alerting.events import ChannelDetail, CloseReason, Event
from detector.alerting.identity import Identity
from detector.alerting.standing import Standing, StandingPolicy, StandingTeller
from detector.series.frozen import FreezeNotice, FrozenChannel
from detector.series.values import Reset

_SHARE_DECIMALS = 6


class FreezeTracker:
    """Opens, updates and closes the incidents of kind ``frozen`` of one partition.

    An incident opens with the first channel that is frozen, is updated when another joins it, when it becomes critical
    and every so often, and closes when none of them is frozen any more, or when the series is forgotten.

    Args:
        identity: Of the partition.
        channels: Names of the model's channels.
        policy: While incidents last.

    Attributes:
        open: By series.
    """

    def __init__(self, identity: Identity, channels: Sequence[str], policy: StandingPolicy) -> None:
        self.open: dict[str, Standing] = {}
        self._teller = StandingTeller("frozen", identity, policy)
        self._channels = channels

    def take(self, notice: FreezeNotice) -> Event | None:
        """What a row leads to."""
        standing = self.open.get(notice.series)
        if not notice.channels:
            if standing is None:
                return None
            self._note(standing, notice.before)
            return self._close(notice.series, standing, notice.time_ns, notice.held_ns, notice.offset, "moved")
        if standing is None:
            return self._open(notice)
        known = {detail.channel for detail in standing.channels}
        if all(self._name(channel) in known for channel in notice.channels):
            ratio = max(channel.samples / channel.limit for channel in notice.channels)
            if not self._teller.is_due(standing, ratio, notice.time_ns):
                return None
        self._note(standing, notice.channels)
        standing.sequence += 1
        return self._teller.tell("updated", notice.series, standing, notice.time_ns, notice.offset)

    def forget(self, reset: Reset) -> Event | None:
        """The series is forgotten."""
        standing = self.open.get(reset.series)
        if standing is None:
            return None
        return self._close(reset.series, standing, reset.time_ns, reset.time_ns, reset.offset, "forgotten")

    def release(self, series: str, time_ns: int, offset: int) -> Event:
        """Nobody watches the series' channels any more: close what is open."""
        return self._close(series, self.open[series], time_ns, time_ns, offset, "moved")

    def _open(self, notice: FreezeNotice) -> Event:
        earliest = min(notice.channels, key=lambda channel: channel.since_ns)
        standing = self.open[notice.series] = self._teller.open(
            notice.series,
            started_ns=earliest.since_ns,
            first_offset=earliest.first_offset,
            time_ns=notice.time_ns,
            offset=notice.offset,
            score=0.0,
            threshold=1.0,
        )
        self._note(standing, notice.channels)
        return self._teller.tell("opened", notice.series, standing, notice.time_ns, notice.offset)

    def _note(self, standing: Standing, frozen: Sequence[FrozenChannel]) -> None:
        """Bring up to date how long channels have been frozen, and which one stands out."""
        for channel in frozen:
            if channel.samples / channel.limit > standing.score / standing.threshold:
                standing.score, standing.threshold = float(channel.samples), float(channel.limit)
        samples = {detail.channel: (detail.contribution, detail.seen) for detail in standing.channels}
        samples |= {self._name(channel): (float(channel.samples), _finite(channel.value)) for channel in frozen}
        # The longest first, those of equal length in the model's order.
        standing.channels = tuple(
            ChannelDetail(name, length, round(length / standing.score, _SHARE_DECIMALS), value, None)
            for name, (length, value) in sorted(samples.items(), key=lambda found: -found[1][0])
        )

    def _close(
        self, series: str, standing: Standing, time_ns: int, ended_ns: int, offset: int, reason: CloseReason
    ) -> Event:
        del self.open[series]
        standing.sequence += 1
        ended_ns = max(ended_ns, standing.opened_ns)
        return self._teller.tell("closed", series, standing, time_ns, offset, ended_ns=ended_ns, reason=reason)

    def _name(self, channel: FrozenChannel) -> str:
        return self._channels[channel.channel]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
