"""``detector inspect``: what the model did inside, at an alert or at any sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    from detector.cli.inspect.reader import Reader
    from detector.cli.inspect.report import print_view, write_view
    from detector.cli.inspect.target import Target, settings_of_event, target_of_event
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
        target = target_of_event(event, events, settings, config)
        settings = settings_of_event(target, settings, model is not None)
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
    reader = Reader(files or [], settings, columns, look_back)
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
