"""``detector inspect``: what the model did inside, at an alert or at any sample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detector.cli.inspect.target import Target
    from detector.cli.replay.opened import Opened, Range
    from detector.inspection.tap import Tap
    from detector.inspection.view import View
    from detector.settings import Settings
    from models.bundle import Bundle

_SUFFIXES = (".png", ".svg", ".html", ".json")


def inspect(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Parquet, CSV or JSON Lines files instead of a topic.", show_default=False),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="File to write: .png, .svg, .html or .json; may be given several times."),
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="Id of an event or incident, or its beginning: look at its peak.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="JSON Lines file to find --event in, instead of the topic of events.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Series to look at, without --event.")] = None,
    at: Annotated[
        str | None,
        typer.Option(help="Event time of the sample; without it, and without --event, where the score is highest."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file of the worker.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream of the configuration.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic to read; needs --model.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Bundle, or registry://DIR/NAME@ALIAS, to use instead of the configured one.")
    ] = None,
    bootstrap_server: Annotated[str | None, typer.Option(help="host:port of the cluster.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Look for the highest score from this event time on: ISO 8601, or a duration.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="First event time that is too late for that.")] = None,
    look_back: Annotated[
        str | None, typer.Option(help="How far before the sample to read, so that memory is what it was.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=2, help="Samples to show of a model with carried memory; 64 or a window without it."),
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Files: column of the event time.")] = None,
    series_column: Annotated[str | None, typer.Option(help="Files: column that names the series.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Open up the window of an alert, or of any sample: channels, their reconstruction, gates and states of each layer.

    The records are read again through the pipeline of the live worker, so that windows, scores and carried memory are
    what they were. Gates are recomputed from the Keras model's weights. Needs the extras keras (or keras-cpu) and, for
    pictures and pages, plot.

    Examples:
        detector inspect -c detector.yaml --event 3fa85f64 --out incident.html

        detector inspect -c detector.yaml --series web-1 --at 2026-01-31T08:00:00Z --out window.png --out window.json

        detector inspect telemetry.parquet --series-column host --series web-1 --model models/servers --out worst.png
    """
    import json
    import sys
    from datetime import UTC, datetime

    from detector.alerting.timestamps import format_time
    from detector.cli.common.bundles import place_of
    from detector.cli.inspect.report import print_view, write_view
    from detector.cli.inspect.target import Target
    from detector.cli.replay.opened import Range
    from detector.cli.replay.settings import replay_settings
    from detector.errors import ConfigError
    from detector.moments import parse_moment

    for path in out or ():
        if path.suffix.lower() not in _SUFFIXES:
            raise ConfigError(f"--out: {path} should end in one of {', '.join(_SUFFIXES)}")
    if event is not None and (series or at or since or until):
        raise ConfigError("--event says what to look at; leave out --series, --at, --since and --until")
    if at is not None and (since or until):
        raise ConfigError("--at names a sample; --since and --until belong to a search for the highest score")
    if files and (topic or bootstrap_server):
        raise ConfigError("files are read without a cluster; leave out --topic and --bootstrap-server")
    now = datetime.now(UTC)
    place = None if model is None else place_of(model, "--model")
    settings = replay_settings(config, stream, topic, place, bootstrap_server, None, None, bool(files))
    if event is not None:
        target = _of_event(event, events, settings, config)
        settings = _for_event(target, settings, model is not None)
    else:
        name = series or (files[0].stem if files and len(files) == 1 and series_column is None else None)
        if name is None:
            raise ConfigError("say what to look at: --event, or --series with or without --at")
        target = Target(name, None if at is None else parse_moment(at, "--at", now))
        if len(settings.streams) > 1:
            raise ConfigError(
                f"--stream: {config} has several streams, {', '.join(item.name for item in settings.streams)}; say"
                f" which one {name} belongs to"
            )
    columns = (time_column, series_column, None if series_column else target.series)
    reader = _Reader(files or [], settings, columns, look_back)
    if target.at_ns is None:
        wanted = Range(
            since_ns=None if since is None else parse_moment(since, "--since", now),
            until_ns=None if until is None else parse_moment(until, "--until", now),
            look_back=look_back if since is not None else None,
        )
        target = Target(target.series, reader.highest(target.series, wanted))
    view = reader.view(target, samples)
    if at is not None and (last_ns := int(view.times_ns[-1])) != target.at_ns:
        typer.echo(
            f"note: {target.series} has no scored sample at {format_time(target.at_ns or 0)}; this is the last one "
            f"before, at {format_time(last_ns)}",
            err=True,
        )
    for path in out or ():
        write_view(view, path)
    if as_json:
        typer.echo(json.dumps(view.to_dict()))
    else:
        print_view(view, out or [], sys.stdout)


def _of_event(wanted: str, file: Path | None, settings: Settings, config: Path | None) -> Target:
    from detector.cli.inspect.target import Target, events_of_file, events_of_topic, find_event
    from detector.errors import ConfigError

    if file is not None:
        return Target.of_event(find_event(events_of_file(file), wanted, str(file)))
    if config is None:
        raise ConfigError("give -c detector.yaml to find the event in its topic, or --events FILE.jsonl")
    topic = settings.topics.events
    return Target.of_event(find_event(events_of_topic(settings.kafka, topic), wanted, f"topic {topic}"))


def _for_event(target: Target, settings: Settings, model_given: bool) -> Settings:
    """The settings of the event's stream, with the model that it came from.

    Raises:
        ConfigError: that model is not at hand.
    """
    from detector.cli.common.bundles import BundleSource, registries_of
    from detector.errors import ConfigError

    event = target.event
    assert event is not None  # noqa: S101 - tells the type checker
    streams = [item for item in settings.streams if item.name == event.stream] or list(settings.streams)[:1]
    if not model_given:
        source = BundleSource(settings.registry)
        bundle = source.open(streams[0].model)
        if bundle.digest != event.model.digest:
            lived = source.by_digest(event.model.digest, registries_of(settings.streams))
            if lived is None:
                raise ConfigError(
                    f"the event came from model {event.model.version} ({event.model.digest[:12]}), and the stream has"
                    f" {bundle.version} ({bundle.digest[:12]}) now; name the bundle of the event with --model, or"
                    " another one to see what that makes of it"
                )
            streams = [streams[0].model_copy(update={"model": lived.path})]
    return settings.model_copy(update={"streams": tuple(streams[:1])})


class _Reader:
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
        from detector.cli.inspect.target import HighestScore
        from detector.errors import ConfigError

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
        from detector.cli.common.assemble import open_bundle
        from detector.cli.replay.opened import Range
        from detector.errors import BundleError, ConfigError
        from detector.inspection.opening import open_up, samples_of
        from detector.inspection.tap import Tap
        from models.bundle import load_keras_model
        from models.errors import BundleError as DamagedBundleError
        from models.errors import ModelsError

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
        from detector.alerting.timestamps import format_time
        from detector.cli.inspect.target import ScoredTimes
        from detector.cli.replay.opened import Range

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
        from detector.cli.common.progress import RecordProgress
        from detector.cli.replay.sources import open_files, open_topics

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
