"""``detector retrain``: a stream's model anew on its own recent history, put in force if it is better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.settings import Settings, StreamSettings


def retrain(
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file of the worker.")],
    stream: Annotated[str | None, typer.Option(help="Which stream; the only one without it.")] = None,
    since: Annotated[str, typer.Option(help="How much of the history, up to its newest sample.")] = "14d",
    margin: Annotated[
        str | None, typer.Option(help="Left out around each known fault as well; two windows without it.")
    ] = None,
    alerts_per_week: Annotated[
        float, typer.Option(min=0.0, help="False alarms to accept per series, for the threshold and the comparison.")
    ] = 1.0,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Go on from the present weights, gently, rather than from new ones.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many; 3 with --fine-tune.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the new bundle to this directory.")
    ] = None,
    promote: Annotated[
        bool,
        typer.Option("--promote/--no-promote", help="Whether the stream's alias moves to a better model."),
    ] = True,
    every: Annotated[
        str | None,
        typer.Option(help="Go on, and train again each time that the stream's event time has come so much further."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights and sampling; that of the present model.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of TensorFlow.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is at --out.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write how it went to this file, as one HTML page; with --every of the latest round."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print reports as JSON, one line each.")] = False,
) -> None:
    """Train a stream's model anew on its history without known incidents, compare the two, and promote the better one.

    Reads the input topic, the events topic and the feedback topic. What an incident or a person calls faulty is not
    learned from; what a person calls a false alarm is. Both models then run over the history's last fifth, of which the
    new one has seen nothing. Where the stream's model is an alias in a registry, the new bundle is pushed, the alias
    challenger names it, and the stream's alias moves if it is better: a running worker takes it over with an epoch.

    With --every it keeps doing so: continual training.

    Examples:
        detector retrain -c detector.yaml --since 14d

        detector retrain -c detector.yaml --stream pumps --fine-tune --every 1d

        detector retrain -c detector.yaml --no-promote --out models/candidate --report candidate.html
    """
    import os
    import sys

    from detector.cli.retrain.following import follow
    from detector.cli.retrain.report import print_report
    from detector.cli.retrain.request import Request
    from detector.cli.retrain.rounds import Rounds
    from detector.cli.train.page import check_page
    from detector.errors import ConfigError
    from detector.model_address import RegistryReference
    from detector.moments import parse_span
    from detector.observability.logs import configure_logging
    from detector.settings_file import load_settings

    if report is not None:
        check_page(report)
    settings = load_settings(config, os.environ)
    chosen = _stream(settings, stream, config)
    if not isinstance(chosen.model, RegistryReference) and out is None:
        raise ConfigError(
            f"stream {chosen.name}: its model is a directory, which no command moves under a running worker; give "
            "--out for the new bundle, or name an alias of a registry in the configuration"
        )
    if every is not None and out is not None:
        raise ConfigError("--every makes many bundles, --out is one directory; leave out --out and use a registry")
    request = Request(
        history_seconds=parse_span(since, "--since"),
        margin_seconds=None if margin is None else parse_span(margin, "--margin"),
        alerts_per_week=alerts_per_week,
        fine_tune=fine_tune,
        epochs=epochs,
        out=out,
        report=report,
        promote=promote,
        seed=seed,
        threads=threads,
        force=force,
    )
    every_seconds = None if every is None else parse_span(every, "--every")
    configure_logging(settings.log, sys.stderr)
    rounds = Rounds(config, settings, chosen, request)

    def tell(document: dict[str, Any]) -> None:
        if as_json:
            import json

            typer.echo(json.dumps(document))
        else:
            print_report(document, sys.stdout)

    if every_seconds is None:
        tell(rounds.run())
    else:
        follow(rounds, every_seconds, settings.worker.drain_timeout_seconds, tell)


def _stream(settings: Settings, name: str | None, config: Path) -> StreamSettings:
    from detector.cli.common.options import named_stream
    from detector.errors import ConfigError

    if name is None and len(settings.streams) > 1:
        names = ", ".join(stream.name for stream in settings.streams)
        raise ConfigError(f"{config} has several streams; say which one with --stream: {names}")
    return settings.streams[0] if name is None else named_stream(settings, name, config)
