"""``detector replay``: what would this model have alerted on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.cli.live import Contexts
    from detector.kafka.writer import TopicWriter
    from detector.replay import Chunk, EventTimeRange
    from detector.settings import Settings

_LOOK_BACK_WINDOWS = 3
_LOOK_BACK_WITHOUT_PERIOD_SECONDS = 86_400.0
# Record timestamps may differ from event times by this much; the range is widened by it, and then filtered by event
# time.
_TIMESTAMP_MARGIN_SECONDS = 3600.0


def replay(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Parquet, CSV or JSON Lines files instead of a topic.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file of the worker.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream of the configuration.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic to replay; needs --model.")] = None,
    model: Annotated[Path | None, typer.Option(help="Bundle to use instead of the configured one.")] = None,
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
    threshold: Annotated[
        float | None, typer.Option(min=0.0, help="Threshold to try instead of the calibrated one.")
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="onnx or keras.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Write every score to this .parquet, .csv or .jsonl file.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Write every event to this .jsonl file.")] = None,
    events_topic: Annotated[
        str | None, typer.Option(help="Write every event to this topic, which is created if need be.")
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Files: column of the event time.")] = None,
    series_column: Annotated[str | None, typer.Option(help="Files: column that names the series.")] = None,
    series: Annotated[str | None, typer.Option(help="Files: name of the series of the whole file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send history through the pipeline of the live worker and tell what it would have alerted on.

    Reads a topic by time or offset range, up to the end offsets taken at start, or files. Joins no group and commits
    nothing. With the same bundle, settings and range the events are those of the worker, ids included.

    Examples:
        detector replay -c detector.yaml --since 90d

        detector replay --topic telemetry --model models/servers --since 2026-01-01 --until 2026-04-01

        detector replay quarter.parquet --model models/servers --scores scores.parquet --json
    """
    import sys

    from detector.cli.progress import RecordProgress
    from detector.cli.replay_summary import as_document, print_summary
    from detector.cli.sinks import EventFileSink, EventTopicSink, ScoreFileSink
    from detector.errors import ConfigError
    from detector.replay import replay as run_replay

    if files and (topic or bootstrap_server or events_topic):
        raise ConfigError(
            "files are replayed without a cluster; leave out --topic, --bootstrap-server and --events-topic"
        )
    if files and (from_offset is not None or to_offset is not None):
        raise ConfigError("offsets belong to topics; for files use --since and --until")
    if from_offset is not None and (since or look_back):
        raise ConfigError("give either --from-offset, or --since and --look-back: a range begins in one way")
    settings = _settings(config, stream, topic, model, bootstrap_server, threshold, runtime, bool(files))
    times = _times(since, until)
    if files:
        opened = _open_files(files, settings, time_column, series_column, series, times)
    else:
        opened = _open_topics(settings, times, from_offset, to_offset, look_back)
    chunks, total, contexts, counted, close = opened
    sinks: list[Any] = []
    try:
        if scores is not None:
            sinks.append(ScoreFileSink(scores))
        if events is not None:
            sinks.append(EventFileSink(events))
        if events_topic is not None:
            sinks.append(EventTopicSink(_topic_writer(settings, events_topic, len(counted.from_offsets))))
        with RecordProgress("replaying", total) as progress:
            result = run_replay(chunks, contexts, counted, sinks, progress.advance)
        for sink in sinks:
            sink.writer.close()
    except BaseException:
        for sink in sinks:
            sink.writer.discard()
        raise
    finally:
        close()
    document = as_document(result, {context.name: context for context in contexts.values()})
    if as_json:
        import json

        typer.echo(json.dumps(document, indent=2))
    else:
        print_summary(document, sys.stdout)


def _settings(
    config: Path | None,
    stream: str | None,
    topic: str | None,
    model: Path | None,
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


def _times(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    from datetime import UTC, datetime

    from detector.cli.moments import parse_moment
    from detector.errors import ConfigError

    now = datetime.now(UTC)
    start = None if since is None else parse_moment(since, "--since", now)
    stop = None if until is None else parse_moment(until, "--until", now)
    if start is not None and stop is not None and start >= stop:
        raise ConfigError(f"--since {since} is not before --until {until}")
    return start, stop


Opened = tuple["Iterator[Chunk | None]", int | None, "Contexts", "EventTimeRange", "Callable[[], None]"]


def _open_files(
    files: list[Path],
    settings: Settings,
    time_column: str | None,
    series_column: str | None,
    series: str | None,
    times: tuple[int | None, int | None],
) -> Opened:
    from detector.cli.assemble import for_source, open_bundle, stream_context
    from detector.files.source import FileSource
    from detector.files.table import open_table
    from detector.replay import EventTimeRange

    configured = settings.streams[0]
    bundle = open_bundle(configured.model)
    tables = [open_table(path, time_column, series_column, bundle.spec.channels, series) for path in files]
    source = FileSource(tables)
    row_stream = configured.model_copy(
        update={
            "record": configured.record.model_copy(update={"decoder": "row", "layout": "wide", "series_fields": ()})
        }
    )
    context = stream_context(row_stream, bundle, "", keep_scores=True)
    contexts = {name: for_source(context, source.digest(name), name) for name in source.topics}
    return source.chunks(), source.rows, contexts, EventTimeRange(*times), lambda: None


def _open_topics(
    settings: Settings,
    times: tuple[int | None, int | None],
    from_offset: int | None,
    to_offset: int | None,
    look_back: str | None,
) -> Opened:
    from detector.cli.assemble import open_bundle, stream_context
    from detector.cli.moments import NS_PER_SECOND, parse_span
    from detector.kafka.client import consumer_config
    from detector.kafka.history import History
    from detector.kafka.preflight import check_cluster, check_topics
    from detector.replay import EventTimeRange

    bundles = {item.name: open_bundle(item.model) for item in settings.streams}
    cluster = check_cluster(settings.kafka)
    check_topics(settings.kafka, [item.topic for item in settings.streams])
    contexts = {
        item.topic: stream_context(item, bundles[item.name], cluster.cluster_id, keep_scores=True)
        for item in settings.streams
    }
    history = History(consumer_config(settings.kafka), settings.worker.max_poll_records)
    since_ns, until_ns = times
    ranges, counted_from = {}, {}
    for item in settings.streams:
        period = bundles[item.name].spec.period_seconds
        back = (
            parse_span(look_back, "--look-back")
            if look_back is not None
            else _LOOK_BACK_WITHOUT_PERIOD_SECONDS
            if period is None
            else _LOOK_BACK_WINDOWS * period * bundles[item.name].spec.window
        )
        partitions = history.partitions(item.topic)
        first, end = history.first_offsets(partitions), history.end_offsets(partitions)
        start, stop = dict(first), dict(end)
        if since_ns is not None:
            stamp = since_ns / NS_PER_SECOND - back - _TIMESTAMP_MARGIN_SECONDS
            start = {
                p: end[p] if o is None else o
                for p, o in history.offsets_at(partitions, max(0, int(stamp * 1000))).items()
            }
        if until_ns is not None:
            stamp = until_ns / NS_PER_SECOND + _TIMESTAMP_MARGIN_SECONDS
            late = history.offsets_at(partitions, int(stamp * 1000))
            stop = {p: end[p] if o is None else o for p, o in late.items()}
        for partition in partitions:
            if from_offset is not None:
                counted_from[partition] = max(from_offset, first[partition])
                # How many records fill the windows of all series is not known; a restart of the worker reads as many.
                start[partition] = counted_from[partition] - settings.worker.state.max_replay_records
            if to_offset is not None:
                stop[partition] = min(stop[partition], to_offset)
            ranges[partition] = (max(start[partition], first[partition]), stop[partition])
            counted_from.setdefault(partition, 0)
    total = sum(max(0, stop - start) for start, stop in ranges.values())
    return history.read(ranges), total, contexts, EventTimeRange(since_ns, until_ns, counted_from), history.close


def _topic_writer(settings: Settings, name: str, partitions: int) -> TopicWriter:
    from detector.kafka.client import producer_config
    from detector.kafka.topics import ensure_topics, events_topic
    from detector.kafka.writer import TopicWriter

    wanted = settings.topics.model_copy(update={"events": name})
    info = ensure_topics(settings.kafka, [events_topic(wanted, max(1, partitions))], create=settings.topics.create)
    return TopicWriter(producer_config(settings.kafka), name, info[name].partitions)
