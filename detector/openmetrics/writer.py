"""The file that ``promtool tsdb create-blocks-from openmetrics`` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.alerting.events import Event
from detector.alerting.timestamps import parse_time
from detector.files.whole import WholeFile
from detector.observability.metrics.bounds import RATIO_BOUNDS
from detector.observability.replay_metrics import (
    ANOMALIES,
    EVENTS,
    FAMILIES,
    JOB,
    OPEN,
    RATIO,
    REPLAY_PREFIX,
    SCORED,
    SERIES_OPEN,
    SERIES_RATIO,
    UNSCORED,
    Family,
)
from detector.openmetrics.incidents import OpenIncidents
from detector.openmetrics.spool import Spool
from detector.openmetrics.text import END, head, label_set, number, sample

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

# Gathered in memory before they go to the local file; each call by itself would take several times as long.
_ROWS_PER_WRITE: Final = 16_384
_NS_PER_MS: Final = 1_000_000
_BUCKETS: Final = (*map(number, RATIO_BOUNDS), "+Inf")
_SUM: Final = "sum"


class ReplayMetrics:
    """Gathers scores and events of a replay and writes them as OpenMetrics text.

    A step ends at a multiple of its length since the epoch; what is in it carries the time of its end, as what
    Prometheus says of a time tells what was until then. The file appears under its name when `close` succeeded.

    Args:
        path: Of the file.
        step_ms: Length of a step, milliseconds.
        instance: What tells this replay from others; a label of all samples, beside the job.
        prefix: Of all names.
        directory: For what is gathered, in a local file; the temporary directory without it.

    Raises:
        ConfigError: the file cannot be created, or the local file cannot be used (any method).
    """

    def __init__(
        self,
        path: Path,
        step_ms: int,
        instance: str,
        prefix: str = REPLAY_PREFIX,
        directory: Path | None = None,
    ) -> None:
        self._step_ms = step_ms
        self._prefix = prefix
        self._common = label_set(("job", "instance"), (JOB, instance))
        self._file = WholeFile(path)
        try:
            self._spool = Spool(directory)
        except BaseException:
            self._file.discard()
            raise
        self._open = OpenIncidents()
        self._streams: set[str] = set()
        self._waiting: dict[str, list[tuple[Sequence[str], Int64, Float64]]] = {}
        self._rows = 0
        self._closed = False

    def append_scores(
        self, stream: str, series: Sequence[str], time_ns: Int64, score: Float64, threshold: float
    ) -> None:
        """Take scores.

        Args:
            stream: Of all of them.
            series: Name of the series, one a score.
            time_ns: int64[n], event times, nanoseconds since the epoch, UTC.
            score: float64[n]; NaN where unknown, which counts as a window without a score.
            threshold: Of all of them, above 0.
        """
        if not len(series):
            return
        self._waiting.setdefault(stream, []).append((series, self._steps(time_ns), score / threshold))
        self._rows += len(series)
        if self._rows >= _ROWS_PER_WRITE:
            self._flush()

    def _flush(self) -> None:
        with self._spool.noting():
            for stream, waiting in self._waiting.items():
                names = [name for series, _, _ in waiting for name in series]
                steps = np.concatenate([steps for _, steps, _ in waiting])
                self._note_scores(stream, names, steps, np.concatenate([ratio for _, _, ratio in waiting]))
        self._waiting.clear()
        self._rows = 0

    def _note_scores(self, stream: str, names: Sequence[str], steps: Int64, ratio: Float64) -> None:
        number = self._born(stream)
        known = ~np.isnan(ratio)
        self._spool.note_steps(number, np.unique(steps).tolist())
        self._count(SCORED, number, label_set(SCORED.labels, (stream,)), steps[known])
        self._count(UNSCORED, number, label_set(UNSCORED.labels, (stream, "coverage")), steps[~known])
        self._spread(number, steps[known], ratio[known])
        ids = {
            name: self._spool.label_set(SERIES_RATIO.stem, number, label_set(SERIES_RATIO.labels, (stream, name)))
            for name in dict.fromkeys(name for name, scored in zip(names, known.tolist(), strict=True) if scored)
        }
        rows = zip(names, steps.tolist(), ratio.tolist(), known.tolist(), strict=True)
        self._spool.note_greatest((ids[name], step, value) for name, step, value, scored in rows if scored)

    def append_events(self, events: Iterable[Event]) -> None:
        """Take events, those of an incident in order."""
        with self._spool.noting():
            for event in events:
                self._append_event(event)

    def _append_event(self, event: Event) -> None:
        number = self._born(event.stream)
        (step,) = self._steps(np.array([parse_time(event.updated_at)], np.int64)).tolist()
        self._spool.note_steps(number, [step])
        self._change(EVENTS, number, (event.stream, event.event, event.severity), step, 1.0, 0.0)
        if event.event == "opened":
            self._change(ANOMALIES, number, (event.stream, event.kind, event.severity), step, 1.0, 0.0)
        for change in self._open.follow(event, step):
            whole = change.stream, change.kind, change.severity
            of_series = change.stream, change.series, change.kind, change.severity
            self._change(OPEN, number, whole, change.step, change.at, change.behind)
            self._change(SERIES_OPEN, number, of_series, change.step, change.at, change.behind)

    def close(self) -> None:
        """Write the file and give it its name; harmless when closed already.

        Raises:
            OSError: the disk is full, or the like; nothing appears under the name.
        """
        if self._closed:
            return
        try:
            self._flush()
            for family in FAMILIES:
                self._write(head(family, self._prefix))
                for number, stream in self._spool.streams():
                    if family is RATIO:
                        self._write_histogram(number, stream)
                    else:
                        self._write_family(family, number)
            self._write(END)
            self._file.complete()
        except BaseException:
            self.discard()
            raise
        self._closed = True
        self._spool.close()

    def discard(self) -> None:
        """Throw away what was gathered; harmless when closed already."""
        if not self._closed:
            self._closed = True
            self._file.discard()
            self._spool.close()

    def _steps(self, time_ns: Int64) -> Int64:
        """The step that each time lies in, by number: from behind the end of the one before to its own end."""
        return -(-time_ns // (self._step_ms * _NS_PER_MS))

    def _born(self, stream: str) -> int:
        """The number of a stream, all of whose counts are there from its first step on."""
        known = self._spool.stream(stream)
        if stream in self._streams:
            return known
        self._streams.add(stream)
        for family in (OPEN, ANOMALIES, EVENTS, SCORED, UNSCORED):
            for values in family.born:
                self._spool.label_set(family.stem, known, label_set(family.labels, (stream, *values)))
        return known

    def _change(self, family: Family, number: int, values: Sequence[str], step: int, at: float, behind: float) -> None:
        labels = self._spool.label_set(family.stem, number, label_set(family.labels, values))
        self._spool.note_changes([(labels, step, at, behind)])

    def _count(self, family: Family, number: int, labels: str, steps: Int64) -> None:
        found = self._spool.label_set(family.stem, number, labels)
        which, counts = np.unique(steps, return_counts=True)
        self._spool.note_changes(
            (found, step, float(count), 0.0) for step, count in zip(which.tolist(), counts.tolist(), strict=True)
        )

    def _spread(self, number: int, steps: Int64, ratio: Float64) -> None:
        """Add to the histogram: each bucket by itself; they are summed up when they are written."""
        bucket = np.searchsorted(RATIO_BOUNDS, ratio, side="left")
        for place in np.unique(bucket).tolist():
            self._count(RATIO, number, _BUCKETS[place], steps[bucket == place])
        found = self._spool.label_set(RATIO.stem, number, _SUM)
        which, place = np.unique(steps, return_inverse=True)
        sums = np.bincount(place, ratio, len(which))
        self._spool.note_changes(
            (found, step, value, 0.0) for step, value in zip(which.tolist(), sums.tolist(), strict=True)
        )

    def _write(self, text: str) -> None:
        self._file.file.write(text.encode())

    def _write_family(self, family: Family, number: int) -> None:
        name = family.sample(self._prefix)
        for found, labels in self._spool.label_sets(family.stem, number):
            if family is SERIES_RATIO:
                rows = self._spool.greatest(found)
            elif family is SERIES_OPEN:
                rows = _while_open(self._spool.running(number, found))
            else:
                rows = self._spool.running(number, found)
            self._file.file.writelines(
                sample(name, f"{self._common},{labels}", value, step * self._step_ms).encode() for step, value in rows
            )

    def _write_histogram(self, number: int, stream: str) -> None:
        name = RATIO.sample(self._prefix)
        labels = f"{self._common},{label_set(RATIO.labels, (stream,))}"
        parts = [
            self._spool.running(number, self._spool.label_set(RATIO.stem, number, part)) for part in (*_BUCKETS, _SUM)
        ]
        for row in zip(*parts, strict=True):
            time_ms = row[0][0] * self._step_ms
            below = np.cumsum([value for _, value in row[:-1]]).tolist()
            for bound, count in zip(_BUCKETS, below, strict=True):
                self._write(sample(f"{name}_bucket", f'{labels},le="{bound}"', count, time_ms))
            self._write(sample(f"{name}_count", labels, below[-1], time_ms))
            self._write(sample(f"{name}_sum", labels, row[-1][1], time_ms))


def _while_open(rows: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """Steps with an open incident, and the first one without behind each such run."""
    before = 0.0
    for step, value in rows:
        if value or before:
            yield step, value
        before = value
