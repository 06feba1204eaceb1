"""``detector replay``: what would this model have alerted on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.cli.replay.ending import leaves_metrics

if TYPE_CHECKING:
    from detector.kafka.writer import TopicWriter
    from detector.model_address import ModelPlace
    from detector.settings import Settings


@leaves_metrics
def replay(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Parquet, CSV or JSON Lines files instead of a topic.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file of the worker.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream of the configuration.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic to replay; needs --model.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Bundle to use instead of the configured one: a directory or registry reference.")
    ] = None,
    registry: Annotated[
        list[str] | None,
        typer.Option(
            help="With --as-lived: registry that has bundles that were in force, besides those of the streams.",
            show_default=False,
        ),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            help="Challenger to run beside the model, a directory or registry reference: tells where the two differ.",
            show_default=False,
        ),
    ] = None,
    bootstrap_server: Annotated[str | None, typer.Option(help="host:port of the cluster.")] = None,
    since: Annotated[
        str | None, typer.Option(help="First event time: ISO 8601, or a duration before now such as 14d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="First event time that is too late.")] = None,
    from_offset: Annotated[int | None, typer.Option(min=0, help="First offset, in every partition.")] = None,
    to_offset: Annotated[
        int | None, typer.Option(min=0, help="First offset that is too late, in every partition.")
    ] = None,
    look_back: Annotated[
        str | None, typer.Option(help="How far before --since to read, silently, so that windows are full.")
    ] = None,
    as_lived: Annotated[
        bool,
        typer.Option(
            "--as-lived", help="Follow the models and settings that were in force, instead of the present ones."
        ),
    ] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, help="Threshold to try instead of the calibrated one.")
    ] = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Also tell how many incidents other thresholds would have opened.")
    ] = False,
    runtime: Annotated[str | None, typer.Option(help="onnx or keras.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Write every score to this .parquet, .csv or .jsonl file.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Write every event to this .jsonl file.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page that shows what was found to this .html file; needs the extra dashboard."),
    ] = None,
    events_topic: Annotated[
        str | None, typer.Option(help="Write every event to this topic, which is created if need be.")
    ] = None,
    openmetrics: Annotated[
        Path | None,
        typer.Option(help="Write scores and incidents to this file, for promtool tsdb create-blocks-from openmetrics."),
    ] = None,
    openmetrics_step: Annotated[
        str | None,
        typer.Option(
            help="One value for each series in so long, the greatest; a minute, or the model's period up to 5m.",
            show_default=False,
        ),
    ] = None,
    openmetrics_prefix: Annotated[
        str | None,
        typer.Option(
            help="How its names begin: reconstream_replay_, or reconstream_ to have dashboards of workers show it.",
            show_default=False,
        ),
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Files: column of the event time.")] = None,
    series_column: Annotated[str | None, typer.Option(help="Files: column that names the series.")] = None,
    series: Annotated[str | None, typer.Option(help="Files: name of the series of the whole file.")] = None,
    metrics: Annotated[  # noqa: ARG001 - for `leaves_metrics`
        Path | None,
        typer.Option(
            help="When it is over, leave in this .prom file how it ended, for node_exporter's textfile collector."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> dict[str, Any]:
    """Send history through the pipeline of the live worker and tell what it would have alerted on.

    Reads a topic by time or offset range, up to the end offsets taken at start, or files. Joins no group and commits
    nothing. With the same bundle, settings and range the events are those of the worker, ids included. A range in
    mid-stream begins at the nearest checkpoint of the worker, if there is one for this model and these settings.

    Examples:
        detector replay -c detector.yaml --since 90d

        detector replay -c detector.yaml --as-lived --from-offset 20000 --to-offset 50000

        detector replay --topic telemetry --model models/servers --since 2026-01-01 --until 2026-04-01

        detector replay -c detector.yaml --since 30d --shadow registry://models/registry/servers@challenger

        detector replay -c detector.yaml --since 30d --what-if

        detector replay -c detector.yaml --since 30d --report replay.html

        detector replay -c detector.yaml --since 30d --openmetrics replay.om

        detector replay -c detector.yaml --since 1d --metrics /var/lib/node_exporter/nightly.prom

        detector replay quarter.parquet --model models/servers --scores scores.parquet --json
    """
    import contextlib
    import sys

    from detector.cli.common.bundles import place_of
    from detector.cli.common.progress import RecordProgress
    from detector.cli.replay.comparison_summary import comparison_document, print_comparison
    from detector.cli.replay.openmetrics import OpenMetricsSink, step_ms
    from detector.cli.replay.sinks import EventFileSink, EventTopicSink, ScoreFileSink
    from detector.cli.replay.sources import NOBODY, Range, Watching, open_files, open_lived, open_topics
    from detector.cli.replay.summary import as_document, print_summary
    from detector.cli.replay.what_if_summary import print_what_if
    from detector.errors import ConfigError
    from detector.what_if import WhatIf

    if files and (topic or bootstrap_server or events_topic):
        raise ConfigError(
            "files are replayed without a cluster; leave out --topic, --bootstrap-server and --events-topic"
        )
    if files and (from_offset is not None or to_offset is not None):
        raise ConfigError("offsets belong to topics; for files use --since and --until")
    if from_offset is not None and (since or look_back):
        raise ConfigError("give either --from-offset, or --since and --look-back: a range begins in one way")
    if as_lived and (files or config is None):
        raise ConfigError("--as-lived follows what a worker noted down; give its configuration with -c, and no files")
    if as_lived and (topic or look_back or threshold is not None or runtime):
        raise ConfigError(
            "--as-lived takes models, settings and beginnings from what the worker noted down; leave out --topic, "
            "--look-back, --threshold and --runtime"
        )
    if registry and not as_lived:
        raise ConfigError("--registry finds the bundles of another time; it belongs to --as-lived")
    if openmetrics is None and (openmetrics_step is not None or openmetrics_prefix is not None):
        raise ConfigError(
            "--openmetrics-step and --openmetrics-prefix are about the file of --openmetrics; name that as well"
        )
    if shadow is not None and as_lived:
        raise ConfigError("--shadow compares two models over one stretch of history; leave out --as-lived")
    challenger = None if shadow is None else place_of(shadow, "--shadow")
    place = None if model is None else place_of(model, "--model")
    chosen = None if as_lived else place
    settings = replay_settings(config, stream, topic, chosen, bootstrap_server, threshold, runtime, bool(files))
    if what_if and as_lived:
        raise ConfigError("--what-if tries thresholds of one model over all of the history; leave out --as-lived")
    if what_if and len(settings.streams) > 1:
        raise ConfigError("--what-if tries thresholds of one stream; say which with --stream")
    if challenger is not None and len(settings.streams) > 1:
        raise ConfigError("--shadow compares the models of one stream; say which with --stream")
    wanted = Range(*_times(since, until), from_offset, to_offset, look_back)
    with contextlib.ExitStack() as stack:
        page, watching = None, NOBODY
        if report is not None:
            from detector.cli.replay.report import ReplayReport, other_threshold

            given = {
                "-c": config, "--stream": stream, "--topic": topic, "--model": model, "--shadow": shadow,
                "--bootstrap-server": bootstrap_server, "--threshold": threshold, "--runtime": runtime,
                "--time-column": time_column, "--series-column": series_column, "--series": series,
            }  # fmt: skip
            again = [*map(str, files or ()), *(["--as-lived"] if as_lived else [])]
            again += [text for name, value in given.items() if value is not None for text in (name, str(value))]
            other = None
            if threshold is not None and challenger is None:
                configured = replay_settings(config, stream, topic, chosen, bootstrap_server, None, None, bool(files))
                other = other_threshold(configured)
            page = ReplayReport(report, again, other)
            stack.callback(page.writer.discard)
            watching = Watching(page.watch, page.watch_challenger, [page.challenger])
        if files:
            opened = open_files(
                files, settings, time_column, series_column, series, wanted, challenger, watching=watching
            )
        elif as_lived:
            opened = open_lived(settings, [] if place is None else [place], registry or [], wanted, watching)
        else:
            opened = open_topics(settings, wanted, challenger, watching=watching)
        stack.callback(opened.close)
        sinks: list[Any] = []
        stack.callback(lambda: [sink.writer.discard() for sink in sinks])
        counts_others = what_if or (page is not None and not as_lived and len(settings.streams) == 1)
        tried = WhatIf(next(iter(opened.contexts.values()))) if counts_others else None
        if scores is not None:
            sinks.append(ScoreFileSink(scores))
        if events is not None:
            sinks.append(EventFileSink(events))
        if openmetrics is not None:
            periods = [context.spec.period_ns for context in opened.contexts.values()]
            stream_names = {item.topic: item.name for item in settings.streams}
            of_files = settings.streams[0].name
            sinks.append(
                OpenMetricsSink(
                    openmetrics,
                    step_ms(openmetrics_step, periods),
                    openmetrics_prefix,
                    lambda name: of_files if files else stream_names[name],
                )
            )
        if events_topic is not None:
            sinks.append(EventTopicSink(_topic_writer(settings, events_topic, opened.partitions)))
        others: list[Any] = [] if tried is None else [tried]
        if page is not None:
            others += page.sinks(opened)
        with RecordProgress("replaying", opened.records) as progress:
            result = opened.run([*sinks, *others], progress.advance)
        for sink in sinks:
            sink.writer.close()
        document = as_document(result, opened.contexts, opened.started)
        if opened.shadow is not None:
            document["shadow"] = comparison_document(opened.shadow)
        if tried is not None and what_if:
            document["what_if"] = tried.document()
        if page is not None:
            from datetime import UTC, datetime

            named = config is not None or stream is not None
            page.write(opened, result, document, tried, _source(settings, files), named, datetime.now(UTC))
            typer.echo(f"report: {report}, {page.size / 1e6:.1f} MB", err=True)
    if as_json:
        import json

        typer.echo(json.dumps(document, indent=2))
    else:
        print_summary(document, sys.stdout)
        if what_if:
            print_what_if(document["what_if"], sys.stdout)
        if opened.shadow is not None:
            print_comparison(document["shadow"], sys.stdout)
    return document


def replay_settings(
    config: Path | None,
    stream: str | None,
    topic: str | None,
    model: ModelPlace | None,
    bootstrap_server: str | None,
    threshold: float | None,
    runtime: str | None,
    from_files: bool,
) -> Settings:
    """Settings of the replay: the file's, narrowed and overridden by options, or made of options alone."""
    import os

    from pydantic import ValidationError

    from detector.errors import ConfigError
    from detector.settings import Settings
    from detector.settings_file import load_settings

    if config is not None:
        settings = load_settings(config, os.environ)
        known = {item.name: item for item in settings.streams}
        if stream is not None and stream not in known:
            raise ConfigError(f"--stream: {config} has no stream {stream!r}; it has {', '.join(known)}")
        chosen = [known[stream]] if stream is not None else list(settings.streams)
        if from_files and len(chosen) > 1:
            raise ConfigError(f"--stream: {config} has several streams; say which one the files belong to")
    else:
        if model is None or (topic is None and not from_files):
            raise ConfigError("give -c detector.yaml, or --model with --topic, or --model with files")
        document = {"streams": [{"name": stream or "replay", "topic": topic or "files", "model": str(model)}]}
        try:
            settings = Settings.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            option = {"name": "--stream", "topic": "--topic", "model": "--model"}.get(str(first["loc"][-1]), "options")
            raise ConfigError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from error
        chosen = list(settings.streams)
    changes: dict[str, Any] = {}
    if model is not None:
        changes["model"] = model
    if runtime is not None:
        if runtime not in ("onnx", "keras"):
            raise ConfigError(f"--runtime: {runtime!r} is not a runtime; use onnx or keras")
        changes["runtime"] = runtime
    streams = [item.model_copy(update=changes) for item in chosen]
    if topic is not None:
        streams = [item.model_copy(update={"topic": topic}) for item in streams[:1]]
    if threshold is not None:
        streams = [
            item.model_copy(update={"incidents": item.incidents.model_copy(update={"threshold": threshold})})
            for item in streams
        ]
    kafka = settings.kafka
    if bootstrap_server is not None:
        kafka = kafka.model_copy(update={"bootstrap_servers": tuple(bootstrap_server.split(","))})
    return Settings.model_validate(settings.model_copy(update={"streams": tuple(streams), "kafka": kafka}))


def _source(settings: Settings, files: list[Path] | None) -> str:
    """What is replayed, for people."""
    if files:
        return ", ".join(path.name for path in files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    topics = list(dict.fromkeys(stream.topic for stream in settings.streams))
    return f"{'topic' if len(topics) == 1 else 'topics'} {', '.join(topics)}"


def _times(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    from datetime import UTC, datetime

    from detector.errors import ConfigError
    from detector.moments import parse_moment

    now = datetime.now(UTC)
    start = None if since is None else parse_moment(since, "--since", now)
    stop = None if until is None else parse_moment(until, "--until", now)
    if start is not None and stop is not None and start >= stop:
        raise ConfigError(f"--since {since} is not before --until {until}")
    return start, stop


def _topic_writer(settings: Settings, name: str, partitions: int) -> TopicWriter:
    from detector.kafka.client import producer_config
    from detector.kafka.topics import ensure_topics, events_topic
    from detector.kafka.writer import TopicWriter

    wanted = settings.topics.model_copy(update={"events": name})
    info = ensure_topics(settings.kafka, [events_topic(wanted, max(1, partitions))], create=settings.topics.create)
    return TopicWriter(producer_config(settings.kafka), name, info[name].partitions)
