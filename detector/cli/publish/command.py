"""``detector publish``: files to a topic, with their own times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from detector.files.table import Table
    from detector.kafka.pacing import Pace
    from detector.kafka.publishing import Outgoing

_NS_PER_SECOND = 1_000_000_000
_A_YEAR_NS = 365 * 86_400 * _NS_PER_SECOND
_SETTLE_SECONDS = 10.0
_INTERRUPTED = 130


def publish(
    files: Annotated[list[Path], typer.Argument(help="Parquet, CSV or JSON Lines files.", show_default=False)],
    topic: Annotated[str, typer.Option("--topic", "-t", help="Topic to write to.", show_default=False)],
    bootstrap_server: Annotated[
        str | None, typer.Option(help="host:port of the cluster; localhost:9092 without it and -c.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Configuration file whose kafka section to use.", show_default=False),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Name of the series; without it, the file's name.", show_default=False)
    ] = None,
    series_column: Annotated[
        str | None, typer.Option(help="Column that names the series of each row.", show_default=False)
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Column of the event time; found by itself as a rule.", show_default=False)
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            help="Columns to publish, separated by commas; without it, all numbers but label and changepoint.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Play event time so many times as fast as it happened.", show_default=False)
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Records per second.", show_default=False)] = None,
    maximum: Annotated[bool, typer.Option("--max", help="As fast as possible; the default.")] = False,
    start_at: Annotated[
        str | None,
        typer.Option(
            help="Shift all times so that the first one is this: ISO 8601, now, or a duration before now such as 2h.",
            show_default=False,
            metavar="TIME",
        ),
    ] = None,
    compress: Annotated[
        int,
        typer.Option(
            min=1, help="Bring times so many times closer together: with 60, rows of a minute lie a second apart."
        ),
    ] = 1,
    repeat: Annotated[
        bool,
        typer.Option("--repeat", help="After the last row begin again, with times that go on, until Ctrl-C."),
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Create the topic if it is missing; it keeps records for ever.")
    ] = False,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Number of partitions of a new topic; 1 without it.", show_default=False)
    ] = None,
) -> None:
    """Publish the rows of files to a Kafka topic, in the order of their times.

    Each row becomes a JSON record {"channel": value, …}. Its key is the series, its timestamp the event time. Several
    files are merged by time. Records are neither lost nor repeated. A topic that would delete them, because its
    retention is shorter than they are old, is refused.

    Examples:
        detector publish telemetry.parquet --topic telemetry --create

        detector publish machine-*.csv --topic telemetry --speed 60 --start-at now

        detector publish events.jsonl -c detector.yaml --topic telemetry --series-column host --rate 500

        detector publish web.parquet --topic telemetry --start-at now --speed 1 --compress 60 --repeat
    """
    import time

    from rich.console import Console

    from detector.cli.publish.target import check_topic_name, kafka_settings
    from detector.cli.publish.times import ahead_of_clock_ns, start_ns, time_range_ns
    from detector.errors import ConfigError
    from detector.files.merge import json_rows, json_rows_again_and_again
    from detector.files.table import open_table
    from detector.files.timescale import TimeScale, usual_step_ns
    from detector.kafka.pacing import AtRate, AtSpeed, Unpaced
    from detector.kafka.preflight import check_cluster
    from detector.kafka.publishing import Publisher, topic_for_history
    from detector.kafka.retention import check_keeps, format_time

    if (speed is not None) + (rate is not None) + maximum > 1:
        raise ConfigError("give one of --speed, --rate and --max")
    for option, value in (("--speed", speed), ("--rate", rate)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"{option} must be greater than 0, not {value:g}")
    if repeat and speed is None and rate is None:
        raise ConfigError("--repeat would fill the topic as fast as it can, without end; add --speed or --rate")
    names = [name.strip() for name in channels.split(",") if name.strip()] if channels is not None else None
    settings = kafka_settings(bootstrap_server, config)
    check_topic_name(topic)
    tables = [open_table(path, time_column, series_column, names, series) for path in files]
    first_ns, last_ns = time_range_ns(tables)
    now_ns = time.time_ns()
    scale = TimeScale(first_ns, first_ns if start_at is None else start_ns(start_at, now_ns), compress)
    lap_ns = (last_ns - first_ns + (usual_step_ns(tables) or _NS_PER_SECOND * compress)) // compress
    first_ns, last_ns = scale.at_one(first_ns), scale.at_one(last_ns)
    pace: Pace = Unpaced()
    if speed is not None:
        pace = AtSpeed(first_ns, speed)
    elif rate is not None:
        pace = AtRate(rate)

    check_cluster(settings)
    target = topic_for_history(settings, topic, partitions, create=create)
    ahead_ns = ahead_of_clock_ns(first_ns, last_ns, now_ns, speed)
    if repeat and (speed is None or speed > 1):
        # Nobody knows how long it will go on, and with every round times may be further ahead of the clock.
        ahead_ns = max(ahead_ns, _A_YEAR_NS)
    check_keeps(target, first_ns, last_ns, now_ns, ahead_ns, ",".join(settings.bootstrap_servers))

    console = Console(stderr=True)
    counts = _Counts()
    rows = json_rows_again_and_again(tables, scale, lap_ns) if repeat else json_rows(tables, scale)
    publisher = Publisher(settings, topic)
    started = time.monotonic()
    try:
        with _progress_bar(console) as bar:
            task = bar.add_task(f"publish to {topic}", total=None if repeat else _total_rows(tables))
            publisher.publish(counts.count(rows), pace, lambda done: bar.update(task, completed=done))
    except KeyboardInterrupt:
        done = publisher.settle(_SETTLE_SECONDS)
        typer.echo(f"interrupted: {done:,} records were acknowledged by {topic!r}", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        publisher.close()
    seconds = time.monotonic() - started
    if counts.truncated:
        console.print(
            f"note: {counts.truncated:,} times were cut to the millisecond, as Kafka keeps them", highlight=False
        )
    typer.echo(
        f"published {publisher.acknowledged:,} records of {len(counts.series):,} series to {topic!r}, "
        f"{format_time(first_ns)} to {format_time(last_ns)}, in {seconds:.1f} s "
        f"({publisher.acknowledged / max(seconds, 1e-3):,.0f} a second)"
    )


class _Counts:
    """What went by, for the summary."""

    def __init__(self) -> None:
        self.series: dict[str, bytes] = {}
        self.truncated = 0

    def count(self, rows: Iterator[tuple[int, str, bytes]]) -> Iterator[Outgoing]:
        from detector.kafka.publishing import Outgoing

        for time_ns, series, value in rows:
            key = self.series.get(series)
            if key is None:
                key = self.series[series] = series.encode()
            if time_ns % 1_000_000:
                self.truncated += 1
            yield Outgoing(time_ns, key, value)


def _total_rows(tables: Sequence[Table]) -> int | None:
    known = [table.rows for table in tables if table.rows is not None]
    return sum(known) if len(known) == len(tables) else None


def _progress_bar(console: object) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    assert isinstance(console, Console)  # noqa: S101 - for the type checker; rich is imported late
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
