"""What is noticed of a partition's series beside their scores: that they stop, and that channels freeze."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detector.alerting.events import Event, Kind
from detector.alerting.freezes import FreezeTracker
from detector.alerting.identity import Identity
from detector.alerting.policy import Severity
from detector.alerting.silence import Moment, SilencePolicy, SilenceTracker
from detector.alerting.standing import StandingPolicy, StandingState, decode_standing, encode_standing
from detector.series.frozen import FreezeNotice
from detector.series.store import SeriesStore
from detector.series.values import Reset


class SeriesWatch:
    """Incidents of kind ``silence`` and ``frozen`` of one partition.

    Args:
        store: The partition's series; it watches for frozen channels if it was given limits.
        identity: Of the partition.
        silence: None opens no silence.
        channels: Names of the model's channels.
        frozen: While channels are frozen.
    """

    def __init__(
        self,
        store: SeriesStore,
        identity: Identity,
        silence: SilencePolicy | None,
        channels: Sequence[str],
        frozen: StandingPolicy,
    ) -> None:
        self._store = store
        self._silence = SilenceTracker(silence, identity, store, store.spec.forget_after_ns)
        self._freezes = FreezeTracker(identity, channels, frozen)
        self._held = False
        if store.freezes is not None:
            store.freezes.attended = self._freezes.open

    def sample(self, series: str, offset: int) -> None:
        """The store took a record's sample. Call it after each, before the next."""
        if self._store.moves:
            self.settle(offset)
        if self._held:
            return
        self._silence.sample(series, offset)
        if self._freezes.open and self._store.freezes is None and series in self._freezes.open:
            # Another model or other settings took over, under which nobody watches.
            time_ns = self._store.last_time_ns(series) or 0
            event = self._freezes.release(series, time_ns, offset)
            self._silence.moments.append(Moment(self._store.pending, offset, series, event))

    def settle(self, offset: int) -> None:
        """Take note of the series that came and went; after a record that the store refused, too."""
        if not self._held:
            for series, reset in self._store.moves:
                self._silence.moved(series, reset, offset)
        self._store.moves.clear()

    def pass_over(self) -> None:
        """Records went into the windows only."""
        self._store.moves.clear()
        if self._store.freezes is not None:
            self._store.freezes.notices.clear()

    def take_notices(self) -> list[FreezeNotice]:
        """Rows with frozen channels since the last call, for `frozen`."""
        if self._store.freezes is None:
            return []
        notices, self._store.freezes.notices = self._store.freezes.notices, []
        return notices

    def take_moments(self) -> list[Moment]:
        """What happened since the last call."""
        moments, self._silence.moments = self._silence.moments, []
        return moments

    def frozen(self, notice: FreezeNotice) -> Event | None:
        """What a row with frozen channels leads to."""
        return self._freezes.take(notice)

    def forgotten(self, reset: Reset) -> Event | None:
        """What the freeze of a series comes to when it is forgotten; its silence is among the moments."""
        return self._freezes.forget(reset)

    def hold(self) -> None:
        """Records are read again; nothing is judged until `go_live`."""
        self._held = True

    def go_live(self) -> None:
        """Go on from what the store and the snapshots have."""
        self._held = False
        self._silence.begin()

    def open_incidents(self) -> Counter[tuple[Kind, Severity]]:
        """How many incidents are open, by kind and present severity."""
        found: Counter[tuple[Kind, Severity]] = Counter()
        found.update(("silence", standing.severity) for standing in self._silence.open.values())
        found.update(("frozen", standing.severity) for standing in self._freezes.open.values())
        return found

    def open_on(self, series: str) -> int:
        """How many incidents are open on a series."""
        return (series in self._silence.open) + (series in self._freezes.open)

    def snapshot(self, series: str) -> bytes | None:
        """What has to be kept of a series; None when there is nothing."""
        silence, frozen = self._silence.open.get(series), self._freezes.open.get(series)
        lagging = series in self._silence.lagging
        if silence is None and frozen is None and not lagging:
            return None
        return encode_standing(StandingState(silence, frozen, lagging))

    def restore(self, series: str, data: bytes) -> None:
        """Take a snapshot over.

        Raises:
            SnapshotError: of another version or damaged.
        """
        state = decode_standing(data)
        if state.silence is not None:
            self._silence.open[series] = state.silence
        if state.frozen is not None:
            self._freezes.open[series] = state.frozen
        if state.lagging:
            self._silence.lagging.add(series)
