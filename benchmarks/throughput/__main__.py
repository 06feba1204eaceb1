"""``python -m benchmarks.throughput``: measures, and prints what it measured."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

_QUICK_RECORDS, _RECORDS = 20_000, 200_000


def main(
    records: Annotated[
        int | None,
        typer.Option(
            min=20_000, help="Records end to end; 200,000 without it (20,000 with --quick).", show_default=False
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer records and rounds: a look, not a figure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Measure records per second through a real broker, and windows per second of scoring against model.predict."""
    from benchmarks.throughput.end_to_end import measure
    from benchmarks.throughput.stages import measure_scoring, measure_windowing
    from benchmarks.throughput.telemetry import CHANNELS, UNITS, WINDOWS, Shape, make_model
    from detector.observability.logs import configure_logging
    from detector.settings import LogSettings

    configure_logging(LogSettings(level="warning"), sys.stderr)
    shape = Shape(records or (_QUICK_RECORDS if quick else _RECORDS))
    rounds, turn_seconds = (2, 0.5) if quick else (5, 2.0)
    with tempfile.TemporaryDirectory() as folder:
        _say("training two models (one short epoch each; weights do not matter here) …")
        bundle, model = make_model(Path(folder) / "lstm", "lstm")
        streaming, _ = make_model(Path(folder) / "streaming", "streaming")
        _say(f"decoding and windowing {shape.records:,} records …")
        windowing = measure_windowing(shape, bundle)
        _say(f"scoring: {rounds} rounds of {turn_seconds:g} s for each …")
        scoring = measure_scoring(bundle, model, streaming, rounds, turn_seconds)
        end_to_end = {}
        for name, served in (("lstm", bundle), ("streaming", streaming)):
            _say(f"publishing {shape.records:,} records to a broker of its own, then running a worker ({name}) …")
            end_to_end[name] = measure(shape, served)
    document: dict[str, Any] = {
        "machine": _machine(),
        "shape": {**asdict(shape), "channels": len(CHANNELS), "windows": WINDOWS, "units": UNITS},
        "end_to_end": {
            name: {**asdict(found), "records_per_second": found.records_per_second}
            for name, found in end_to_end.items()
        },
        "scoring_windows_per_second": {name: asdict(rate) for name, rate in scoring.items()},
        "windowing_records_per_second": windowing.per_second,
    }
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _report(document)


def _machine() -> dict[str, Any]:
    packages = ("reconstream", "kafka-python", "onnxruntime", "keras", "numpy")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _report(document: dict[str, Any]) -> None:
    from benchmarks.throughput.stages import PREDICT_BATCH, PREDICT_ONE

    console = Console(highlight=False, soft_wrap=True)
    machine, shape = document["machine"], document["shape"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    console.print(f"{machine['cores']} cores ({machine['architecture']}), Python {machine['python']}, {packages}\n")
    console.print("[bold]End to end[/], broker to commit, one worker, exactly once")
    console.print(
        f"  {shape['records']:,} records of {shape['channels']} channels, {shape['series']} series, "
        f"{shape['partitions']} partitions; {shape['units']} units"
    )
    for name, worker in document["end_to_end"].items():
        console.print(
            f"  {name}, windows of {shape['windows'][name]}: [bold]{worker['records_per_second']:,.0f} records/s[/] "
            f"({worker['seconds']:.1f} s; {worker['windows']:,} windows scored, {worker['commits']} commits)"
        )
        console.print(
            f"    of that time {worker['scoring_share']:.0%} in scoring, {worker['commit_share']:.0%} in commits; "
            f"start {worker['start_seconds']:.1f} s and publishing {worker['publish_seconds']:.1f} s apart"
        )
    console.print()
    console.print(f"[bold]Decoding and windowing alone[/]: {document['windowing_records_per_second']:,.0f} records/s\n")
    rates = document["scoring_windows_per_second"]
    one, batch = (rates[name]["per_second"] for name in (PREDICT_ONE, PREDICT_BATCH))
    headings = ("windows a call", "windows/s", "slowest to fastest", "x predict, 1", "x predict, 1024")
    table = Table(*headings, box=SIMPLE)
    for column in table.columns:
        column.no_wrap = True
        column.justify = "left" if column is table.columns[0] else "right"
    for name, rate in rates.items():
        table.add_row(
            name,
            f"{rate['per_second']:,.0f}",
            f"{rate['least']:,.0f} to {rate['most']:,.0f}",
            f"{rate['per_second'] / one:,.1f}",
            f"{rate['per_second'] / batch:,.3g}",
        )
    console.print("[bold]Scoring alone[/]")
    Console(highlight=False, width=max(console.width, 120)).print(table)


if __name__ == "__main__":
    typer.run(main)
