"""``detector models horizon``: how far back models remember, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def horizon(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE...",
            help="Directories that 'detector train' wrote, or registry references.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Parquet, CSV or JSON Lines file to measure on, instead of showing what training measured.",
            show_default=False,
        ),
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Column of the event time.", show_default=False)] = None,
    series_column: Annotated[str | None, typer.Option(help="Column that names the series.", show_default=False)] = None,
    series: Annotated[str | None, typer.Option(help="Name of the series of all rows.", show_default=False)] = None,
    sequences: Annotated[int, typer.Option(min=1, help="Measure on so many sequences, spread over the data.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how far back a model remembers: the norm of the gradient of its last output row by each earlier input row.

    Half-life and 5% reach say from which lag on that norm stays below a half, or a twentieth, of its largest. Several
    bundles are put side by side; with --data they are measured on the same rows, which needs Keras.

    Examples:
        detector models horizon models/telemetry

        detector models horizon models/lstm models/gru models/simple_rnn --data telemetry.parquet
    """
    import json
    import sys

    from detector.cli.common.assemble import open_bundle
    from detector.cli.common.bundles import place_of
    from detector.cli.models.horizon_report import Measured, print_horizons
    from detector.cli.models.horizons import measured_horizons, stored_horizons

    found = []
    for text in bundles:
        opened = open_bundle(place_of(text, "BUNDLE"))
        name = text.rstrip("/").rpartition("/")[2]
        horizons = (
            measured_horizons(opened, data, time_column, series_column, series, sequences)
            if data
            else stored_horizons(opened)
        )
        found += [Measured(name, part, opened.spec.period_seconds, each) for part, each in horizons.items()]
    if as_json:
        document = [
            {"bundle": each.name, "part": each.part, "period_seconds": each.period_seconds, **each.horizon.to_dict()}
            for each in found
        ]
        typer.echo(json.dumps(document, indent=2))
    else:
        print_horizons(found, sys.stdout)
