"""The records around a sample, read again through the pipeline, and the window that they lead to opened up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from detector.alerting.timestamps import format_time
from detector.cli.common.assemble import open_bundle
from detector.cli.common.progress import RecordProgress
from detector.cli.inspect.sinks import HighestScore, ScoredTimes
from detector.cli.inspect.target import Target
from detector.cli.replay.from_files import open_files
from detector.cli.replay.from_topics import open_topics
from detector.cli.replay.opened import Opened, Range
from detector.errors import BundleError, ConfigError
from detector.inspection.opening import open_up, samples_of
from detector.inspection.tap import Tap
from detector.inspection.view import View
from detector.settings import Settings
from models.bundle import Bundle, load_keras_model
from models.errors import BundleError as DamagedBundleError
from models.errors import ModelsError


class Reader:
    """Reads a stream's records again through the pipeline.

    Args:
        files: Instead of the stream's topic.
        settings: Of one stream.
        columns: Of files: column of the time, column of the series, name of the series of all rows.
        look_back: As typed.
    """

    def __init__(
        self,
        files: Sequence[Path],
        settings: Settings,
        columns: tuple[str | None, str | None, str | None],
        look_back: str | None,
    ) -> None:
        self._files, self._settings, self._columns, self._look_back = files, settings, columns, look_back

    def highest(self, series: str, wanted: Range) -> int:
        """Event time of the sample with the highest score.

        Raises:
            ConfigError: the series has no score in that range.
        """
        sink = HighestScore(series)
        self._run(wanted, None, sink)
        if sink.time_ns is None:
            raise ConfigError(
                f"series {series!r} has no score in that range; look at the name of the series, --since and --until,"
                " and whether it has as many samples as a window"
            )
        return sink.time_ns

    def view(self, target: Target, samples: int | None) -> View:
        """The view of a sample.

        Raises:
            BundleError: the model does not open.
            ConfigError: Keras is not installed, or the series has no window there.
        """
        assert target.at_ns is not None  # noqa: S101 - tells the type checker
        stream = self._settings.streams[0]
        bundle = open_bundle(stream.model, self._settings.registry)
        try:
            model = load_keras_model(bundle)
            shown = samples_of(bundle, samples)
            tap = Tap(target.series, target.at_ns, shown)
            span_ns = shown * (bundle.spec.period_ns or 0)
            wanted = Range(target.at_ns - span_ns, target.at_ns + 1, look_back=self._look_back)
            opened = self._run(wanted, tap)
            # A sample or two may be missing; but what lies farther off is no answer.
            if not tap.steps or target.at_ns - tap.steps[-1].time_ns > bundle.spec.window * _step_ns(bundle, tap):
                raise ConfigError(self._nothing_near(target.series, target.at_ns, tap))
            context = next(iter(opened.contexts.values()))
            facts = {
                "stream": context.name,
                "series": target.series,
                "model": {
                    "version": bundle.version,
                    "digest": bundle.digest,
                    "architecture": bundle.spec.architecture,
                    "window": bundle.spec.window,
                    "period_seconds": bundle.spec.period_seconds,
                    "runtime": context.runtime,
                },
                "event": _event_facts(target),
            }
            marks = () if target.event is None else (("opened", target.event.opened_at),)
            return open_up(list(tap.steps), bundle, model, shown, context.policy.threshold, facts, marks)
        except DamagedBundleError as error:
            raise BundleError(str(error)) from error
        except ModelsError as error:
            raise ConfigError(str(error)) from error

    def _nothing_near(self, series: str, at_ns: int, tap: Tap) -> str:
        """What to say where a series has no sample that could be meant; names the times that it has, if they are known.

        Files are read again as a whole for it. A topic may hold months, so of it counts what was read.
        """
        said = f"series {series!r} has no scored sample at {format_time(at_ns)}, nor within a window before it"
        known = tap.nearest_ns
        if self._files:
            every = ScoredTimes(series)
            self._run(Range(), None, every)
            known = every.found_ns
            if known is None:
                return f"{said}, nor at any other time; look at the name of the series, and whether it fills a window"
        if known is None:
            return f"{said}; look at the name of the series and the time, or read further back with --look-back"
        first, last = map(format_time, known)
        what = "It" if self._files else "What was read of it"
        return f"{said}. {what} has samples from {first} to {last}; give --at one"

    def _run(self, wanted: Range, tap: Tap | None, *sinks: object) -> Opened:

        if self._files:
            opened = open_files(self._files, self._settings, *self._columns, wanted, listener=tap)
        else:
            opened = open_topics(self._settings, wanted, listener=tap)
        try:
            with RecordProgress("reading", opened.records) as progress:
                opened.run(list(sinks), progress.advance)  # type: ignore[arg-type]  # sinks, by their protocol
        finally:
            opened.close()
        return opened


def _step_ns(bundle: Bundle, tap: Tap) -> int:
    """Nanoseconds from sample to sample: the period, or without one what was usual in what was read."""
    if bundle.spec.period_ns is not None:
        return bundle.spec.period_ns
    times = [step.time_ns for step in tap.steps]
    return int(median(after - before for before, after in pairwise(times))) if len(times) > 1 else 2**62


def _event_facts(target: Target) -> dict[str, object] | None:
    event = target.event
    if event is None:
        return None
    names = ("event_id", "incident_id", "kind", "severity", "started_at", "opened_at", "peak_at", "peak_score")
    return {name: getattr(event, name) for name in names}
