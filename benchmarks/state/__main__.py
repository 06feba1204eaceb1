"""``python -m benchmarks.state``: measures what many series cost, and prints it."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.state.burst import measure_burst
from benchmarks.state.measure import Found, fill, measure
from benchmarks.state.shape import TOPIC, WINDOW, Shape
from benchmarks.state.snapshots import cost
from detector.broker import LocalBroker
from detector.kafka.topic_specs import history_topic
from detector.kafka.topics import ensure_topics
from detector.settings import KafkaSettings

_MIB = 1 << 20
_BURST_RESIDENT = 20_000


def main(
    series: Annotated[int, typer.Option(min=100, help="All in one partition.")] = 10_000,
    channels: Annotated[int, typer.Option(min=1)] = 8,
    carried_bytes: Annotated[int, typer.Option(min=0, help="What a model carries along each series.")] = 0,
    rate: Annotated[int, typer.Option(min=1, help="Records per second of the steady phase.")] = 1_000,
    seconds: Annotated[int, typer.Option(min=1, help="Length of the steady phase.")] = 20,
    resident: Annotated[int, typer.Option(min=1, help="max_resident_series of the worker that evicts.")] = 1_000,
    burst: Annotated[int, typer.Option(min=1000, help="New series of the burst.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Memory, snapshots and the time of a restart, with series moved to a local file and with all of them in memory."""
    shape = Shape(series, channels, carried_bytes // 4 * 4)
    started = time.monotonic()
    found = []
    with LocalBroker() as broker, tempfile.TemporaryDirectory() as folder:
        ensure_topics(KafkaSettings(bootstrap_servers=(broker.bootstrap,)), [history_topic(TOPIC, 1)])
        _say(f"publishing {WINDOW} rows of {series:,} series …")
        fill(shape, broker.bootstrap)
        rows = WINDOW
        for most in (resident, 2 * series):
            _say(f"a worker with up to {most:,} series in memory …")
            found.append(measure(shape, broker.bootstrap, Path(folder), most, rate, seconds, rows))
            rows += -(-rate * seconds // series)
    snapshot = cost(shape)
    _say(f"{burst:,} new series …")
    new = measure_burst(burst, channels, _BURST_RESIDENT)
    if as_json:
        typer.echo(
            json.dumps({"runs": [asdict(run) for run in found], "snapshot": snapshot, "burst": asdict(new)}, indent=2)
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python {platform.python_version()}; "
        f"{series:,} series of {channels} channels in one partition, windows of {WINDOW}, "
        f"{shape.carried_bytes:,} bytes carried along each; "
        f"{time.monotonic() - started:.0f} s in all\n"
    )
    Console(highlight=False, width=max(console.width, 120)).print(_table(shape, found))
    console.print("[bold]One snapshot[/], full window: bytes, µs to make, µs to restore")
    for kind, (size, encode_us, decode_us) in snapshot.items():
        console.print(f"  {kind}: {size:,} bytes, {encode_us:.0f} µs, {decode_us:.0f} µs")
    console.print(
        f"[bold]{new.series:,} new series[/], up to {_BURST_RESIDENT:,} in memory: {new.seconds:.1f} s, "
        f"{new.evicted:,} evicted, {new.grown_bytes / _MIB:,.0f} MiB more memory once the bound was reached, "
        f"local file {new.file_bytes / _MIB:,.0f} MiB; counting them by state takes {new.count_ms:.1f} ms"
    )


def _table(shape: Shape, runs: list[Found]) -> Table:
    table = Table("", *(f"up to {run.max_resident_series:,} in memory" for run in runs), box=SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    lines: dict[str, Callable[[Found], str]] = {
        "memory of the process, before": lambda r: f"{r.start_bytes / _MIB:,.0f} MiB",
        "with all series": lambda r: f"{r.filled_bytes / _MIB:,.0f} MiB",
        "more per series": lambda r: f"{(r.filled_bytes - r.start_bytes) / shape.series:,.0f} bytes",
        "the store's own account, per series": lambda r: f"{r.store_bytes / shape.series:,.0f} bytes",
        "local file": lambda r: f"{r.file_bytes / _MIB:,.0f} MiB, {r.evicted:,} series",
        f"taking in {WINDOW * shape.series:,} records or more": lambda r: f"{r.fill_seconds:.1f} s",
        "then steadily, all series in turn": lambda r: f"{r.steady_rate:,.0f} records/s",
        "  snapshots on the state topic": lambda r: f"{r.state_bytes_per_second / 1e6:.2f} MB/s",
        "  bytes of one": lambda r: f"{r.snapshot_bytes:,.0f}",
        "  reloaded from the local file": lambda r: f"{r.reloads_per_second:,.0f}/s",
        "  share of a core": lambda r: f"{r.steady_cpu:.0%}",
        "after SIGKILL: records read again": lambda r: f"{r.again_records:,}",
        "  from assignment to live": lambda r: f"{r.again_seconds:.1f} s",
        "  from the start of the process to live": lambda r: f"{r.live_seconds:.1f} s",
        "  most memory until then": lambda r: f"{r.again_bytes / _MIB:,.0f} MiB",
    }
    for label, line in lines.items():
        table.add_row(label, *(line(run) for run in runs))
    return table


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
