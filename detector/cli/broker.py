"""``detector broker``: a local Apache Kafka in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def broker(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where the data is kept. Without it, a temporary directory that is deleted at the end."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 9092,
) -> None:
    """Run a local single-node Apache Kafka in the foreground, until Ctrl-C or SIGTERM.

    For trying things out and for tests: it listens on 127.0.0.1 only and asks nobody who they are. No Java and no
    Docker is needed. The first start downloads about 50 MB; later ones work offline. Once clients can connect, one line
    on standard output says where.

    Examples:
        detector broker

        detector broker --data-dir .kafka --port 19092
    """
    import signal

    from rich.console import Console

    from detector.broker import LocalBroker
    from detector.broker.errors import LocalBrokerError

    console = Console(stderr=True)
    downloads = _Downloads(console)

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    # Both ways of stopping take the same path: stop Kafka in order, delete what was temporary.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    ready = False
    try:
        with LocalBroker(data_dir, port, progress=downloads) as kafka:
            kept = "" if data_dir else ", deleted at the end"
            typer.echo(f"ready: {kafka.bootstrap} (Apache Kafka {kafka.version}, data in {kafka.data_dir}{kept})")
            ready = True
            console.print("Ctrl-C stops it.", highlight=False)
            status = kafka.wait()
            raise LocalBrokerError(f"Apache Kafka ended by itself (exit status {status}): {kafka.problems()}")
    except KeyboardInterrupt:
        if not ready:
            raise
        console.print("stopped", highlight=False)
    finally:
        downloads.close()


class _Downloads:
    """A progress bar that appears with the first download: mostly there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self._bar is None:
            columns = (TextColumn("Downloading Apache Kafka"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)
        if done == total:
            self.close()

    def close(self) -> None:
        """Take the bar away, also from a download that failed."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
