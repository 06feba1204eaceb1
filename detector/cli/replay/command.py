"""``detector replay``: what would this model have alerted on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from detector.cli.replay.ending import leaves_metrics


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
    import json
    import sys

    from detector.cli.replay.asked import Asked
    from detector.cli.replay.comparison_summary import print_comparison
    from detector.cli.replay.outputs import Destinations
    from detector.cli.replay.running import run_replay
    from detector.cli.replay.summary import print_summary
    from detector.cli.replay.what_if_summary import print_what_if

    asked = Asked(
        files=tuple(files or ()), config=config, stream=stream, topic=topic, model=model,
        registry=tuple(registry or ()), shadow=shadow, bootstrap_server=bootstrap_server, since=since, until=until,
        from_offset=from_offset, to_offset=to_offset, look_back=look_back, as_lived=as_lived, threshold=threshold,
        what_if=what_if, runtime=runtime, time_column=time_column, series_column=series_column, series=series,
    )  # fmt: skip
    wanted = Destinations(
        scores=scores, events=events, events_topic=events_topic, openmetrics=openmetrics,
        openmetrics_step=openmetrics_step, openmetrics_prefix=openmetrics_prefix,
    )  # fmt: skip
    document = run_replay(asked, wanted, report)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return document
    print_summary(document, sys.stdout)
    if "what_if" in document and document["windows_scored"]:
        print_what_if(document["what_if"], sys.stdout)
    if "shadow" in document:
        print_comparison(document["shadow"], sys.stdout)
    return document
