"""From scores, and from what lies between the windows, to events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from detector.alerting.events import Event, Kind
from detector.alerting.incidents import IncidentTracker
from detector.alerting.policy import Severity
from detector.alerting.samples import scored_sample
from detector.alerting.silence import Moment
from detector.alerting.telling import KIND
from detector.alerting.watch import SeriesWatch
from detector.pipeline.context import StreamContext
from detector.pipeline.outcome import Outcome, ScoreRows
from detector.scoring.scores import Scores
from detector.series.frozen import FreezeNotice
from detector.series.values import Reset, WindowBatch

Between: TypeAlias = Reset | FreezeNotice | Moment
"""What lies between two windows."""


class Judge:
    """Puts windows, resets, freezes and silences in the order of their records, and tells what they lead to.

    Args:
        context: Shared by the stream's partitions.
        tracker: The incidents that the partition's scores open.
        watch: Those that open for other reasons.
    """

    def __init__(self, context: StreamContext, tracker: IncidentTracker, watch: SeriesWatch) -> None:
        self._context = context
        self._tracker = tracker
        self._watch = watch

    def open_incidents(self) -> Counter[tuple[Kind, Severity]]:
        """How many incidents are open now, by kind and present severity."""
        found: Counter[tuple[Kind, Severity]] = self._watch.open_incidents()
        found.update((KIND, severity) for severity in self._tracker.open_severities())
        return found

    def open_on(self, series: str) -> int:
        """How many incidents, of whatever kind, are open on a series."""
        return int(self._tracker.is_open(series)) + self._watch.open_on(series)

    def between(self, resets: Sequence[Reset]) -> list[Between]:
        """What lies between the pending windows, in the order of the records, wherever batches are cut.

        Args:
            resets: Of these windows; freezes and silences are taken from the watch.
        """
        watch = self._watch
        found: list[Between] = [*resets, *watch.take_notices(), *watch.take_moments()]
        if len(found) > 1:
            found.sort(key=lambda item: (item.after_window, item.offset))
        return found

    def judge(
        self, batch: WindowBatch | None, scores: Scores | None, between: Sequence[Between], outcome: Outcome
    ) -> None:
        """Note in ``outcome`` what a batch leads to.

        Args:
            batch: The windows; None for none.
            scores: Of the windows, row by row; None for none.
            between: From `between`, of the same windows.
            outcome: Its events, counts and scores are added to.
        """
        done = 0
        for found in between:
            if batch is not None and scores is not None and found.after_window > done:
                self._advance(batch, scores, done, found.after_window, outcome)
                done = found.after_window
            if isinstance(found, Reset):
                self._reset(found, outcome)
            elif isinstance(found, FreezeNotice):
                self._tell(found.series, self._watch.frozen(found), outcome)
            else:
                outcome.touched.add(found.series)
                self._tell(found.series, found.event, outcome)
        if batch is None or scores is None:
            return
        self._advance(batch, scores, done, len(batch.series), outcome)
        known = ~np.isnan(scores.score)
        outcome.scored += int(known.sum())
        outcome.unscored += int((~known).sum())
        outcome.ratios.append(scores.score[known] / self._context.policy.threshold)
        if self._context.listed:
            self._note_latest(batch, scores, outcome)
        if self._context.keep_scores:
            rows = ScoreRows(batch.series, batch.time_ns, batch.offsets, scores.score, batch.steps == 0)
            outcome.scores.append(rows)

    def _note_latest(self, batch: WindowBatch, scores: Scores, outcome: Outcome) -> None:
        listed, threshold = self._context.listed, self._context.policy.threshold
        for index, series in enumerate(batch.series):
            if series in listed and not np.isnan(scores.score[index]):
                outcome.latest[series] = float(scores.score[index] / threshold)

    def _advance(self, batch: WindowBatch, scores: Scores, start: int, stop: int, outcome: Outcome) -> None:
        """Move incidents on by the scores of the windows from ``start`` to ``stop``."""
        tracker, quiet = self._tracker, self._context.policy.quiet_score
        values = scores.score[start:stop].tolist()
        for index, (series, score) in enumerate(zip(batch.series[start:stop], values, strict=True), start):
            # NaN compares false: an unknown score neither opens nor quiets anything.
            if not (score > quiet or (score == score and tracker.needs_attention(series))):
                continue
            events = tracker.advance(scored_sample(batch, scores, index))
            _emit(series, events, outcome)

    def _reset(self, reset: Reset, outcome: Outcome) -> None:
        outcome.resets[reset.reason] = outcome.resets.get(reset.reason, 0) + 1
        _emit(reset.series, self._tracker.reset(reset.series, reset.time_ns, reset.offset, reset.reason), outcome)
        if reset.anchors:
            outcome.anchored.append((reset.series, reset.offset))
        if reset.reason == "forgotten":
            outcome.touched.add(reset.series)
            self._tell(reset.series, self._watch.forgotten(reset), outcome)

    @staticmethod
    def _tell(series: str, event: Event | None, outcome: Outcome) -> None:
        if event is not None:
            _emit(series, (event,), outcome)


def _emit(series: str, events: Sequence[Event], outcome: Outcome) -> None:
    for event in events:
        outcome.events.append((series, event))
        outcome.touched.add(series)
