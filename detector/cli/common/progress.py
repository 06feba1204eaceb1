"""Progress on stderr, so that stdout stays clean for results."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class RecordProgress:
    """A bar with a count and the time that is left; silent where stderr is no terminal.

    Args:
        what: What is being done.
        total: Records to come; None when unknown.
    """

    def __init__(self, what: str, total: int | None) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(what, total=total)

    def expect(self, records: int) -> None:
        """So many more are to come."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=total + records)

    def advance(self, records: int) -> None:
        """So many more are done."""
        self._progress.advance(self._task, records)

    def __enter__(self) -> RecordProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()
