"""One partition's windows through the challenger, after the stream's model is done with them.

It runs beside the pipeline and only looks: it has windows, the scores that they got and the resets between them, keeps
its own memory and its own incidents, and hands on numbers. Whatever goes wrong in it stays in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detector.alerting.events import Event
from detector.alerting.incidents import IncidentTracker
from detector.alerting.policy import IncidentPolicy
from detector.alerting.samples import scored_sample
from detector.scoring.scores import Scores
from detector.series.spec import WindowSpec
from detector.series.values import Reset, WindowBatch
from detector.shadow.model import MisfitError, Projection, Shadow, ShadowModel
from detector.shadow.places import Places
from detector.shadow.tally import ShadowTally


class PartitionShadow:
    """The challenger of one partition. Its memory and incidents begin with it and end with it.

    Args:
        shadow: Holds the present challenger; another one is begun anew.
        spec: The stream's windows.
        policy: The stream's own, for its threshold and the names of its channels.
        partition: Number of the partition.
    """

    def __init__(self, shadow: Shadow, spec: WindowSpec, policy: IncidentPolicy, partition: int) -> None:
        self._shadow = shadow
        self._spec = spec
        self._policy = policy
        self._partition = partition
        self._model: ShadowModel | None = None
        self._run: _Run | None = None

    @property
    def memory_bytes(self) -> int:
        """What the challenger carries along all series that it has heard of, with room for more."""
        return 0 if self._run is None else self._run.memory_bytes

    def observe(
        self, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset], tally: ShadowTally
    ) -> None:
        """Take note of windows that the stream's model has scored, and of what lies between them.

        Args:
            batch: The windows; None for none.
            scores: Of the stream's model.
            resets: In order, each with how many of the windows precede it.
            tally: What the challenger comes to is added to it. If it fails, it is stopped until it is replaced, and the
                tally says why.
        """
        model = self._shadow.model
        try:
            if model is not self._model:
                self._model, self._run = model, None
                if model is not None:
                    projection = Projection.between(self._spec, self._policy.channels, model)
                    self._run = _Run(model, projection, self._policy.threshold, self._partition)
            if self._run is not None:
                self._run.take(batch, scores, resets, tally)
        except MisfitError as error:
            self._run = None
            tally.failures.append(f"it does not fit the stream: {error}")
        except Exception as error:  # a challenger must never touch what the stream's model does
            self._run = None
            tally.failures.append(f"{type(error).__name__}: {str(error)[:300]}")


class _Run:
    """A challenger at work."""

    def __init__(self, model: ShadowModel, projection: Projection, threshold: float, partition: int) -> None:
        self._model = model
        self._projection = projection
        self._threshold = threshold
        self._places = Places(model.scorer.state_dtype)
        self._tracker = IncidentTracker(model.policy, replace(model.identity, partition=partition))

    @property
    def memory_bytes(self) -> int:
        states = self._places.states
        return 0 if states is None else states.nbytes

    def take(
        self, batch: WindowBatch | None, scores: Scores | None, resets: Sequence[Reset], tally: ShadowTally
    ) -> None:
        """See `PartitionShadow.observe`."""
        if batch is None or scores is None:
            for reset in resets:
                self._reset(reset)
            return
        chosen = self._model.chosen(batch.series)
        seen = self._windows(batch, chosen)
        found = self._model.scorer.score(seen, self._places.states)
        tally.compare(scores.score[chosen] / self._threshold, found.score / self._model.policy.threshold)
        done = 0
        for reset in resets:
            before = int(np.searchsorted(chosen, reset.after_window))
            tally.opened += self._alert(seen, found, done, before)
            done = before
            self._reset(reset, seen.series[before:])
        tally.opened += self._alert(seen, found, done, len(chosen))

    def _windows(self, batch: WindowBatch, chosen: npt.NDArray[np.intp]) -> WindowBatch:
        values, enough = self._projection.windows(batch.values[chosen])
        series = [batch.series[index] for index in chosen.tolist()]
        slots, known = self._places.of(series)
        return WindowBatch(
            slots=slots,
            series=series,
            time_ns=batch.time_ns[chosen],
            offsets=batch.offsets[chosen],
            start_offsets=batch.start_offsets[chosen],
            values=values,
            coverage_ok=enough,
            # What it never saw it cannot continue, whatever the stream's own model can.
            steps=np.where(known, batch.steps[chosen], 0),
        )

    def _alert(self, batch: WindowBatch, scores: Scores, start: int, stop: int) -> int:
        """How many incidents would have opened with some windows."""
        opened = 0
        quiet = self._model.policy.quiet_score
        values = scores.score[start:stop].tolist()
        for index, (series, score) in enumerate(zip(batch.series[start:stop], values, strict=True), start):
            if not (score > quiet or (score == score and self._tracker.needs_attention(series))):
                continue
            opened += _openings(self._tracker.advance(scored_sample(batch, scores, index)))
        return opened

    def _reset(self, reset: Reset, later: Sequence[str] = ()) -> None:
        self._tracker.reset(reset.series, reset.time_ns, reset.offset, reset.reason)
        # A series that was forgotten and is back within one batch has been scored already, in the place that it keeps.
        if reset.reason == "forgotten" and reset.series not in later:
            self._places.forget(reset.series)


def _openings(events: Sequence[Event]) -> int:
    return sum(event.event == "opened" for event in events)
