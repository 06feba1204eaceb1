"""What Kafka writes to its log from one start on."""

from __future__ import annotations

import re
from pathlib import Path

_PROBLEM = re.compile(r"^\[[^]]*\] (?:ERROR|FATAL) (.*?)(?: \([\w.$-]+\))?$")
_MAX_PROBLEMS = 3
_MAX_CHARACTERS = 1000


class ServerLog:
    """Reads the part of a log that is younger than this object.

    Args:
        log: Kafka's log; need not be there yet.
        output: What Java itself printed, since its last start.
    """

    def __init__(self, log: Path, output: Path) -> None:
        self._log = log
        self._output = output
        self._start_bytes = log.stat().st_size if log.exists() else 0

    def text(self) -> str:
        """All that was logged since; empty when nothing was."""
        try:
            with self._log.open("rb") as file:
                # A file shorter than it was has been rolled over: all of it is new.
                file.seek(self._start_bytes if self._log.stat().st_size >= self._start_bytes else 0)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def problems(self) -> str:
        """The last errors, shortened to one line; what Java printed last when there are none."""
        found = [match[1] for line in self.text().splitlines() if (match := _PROBLEM.match(line))]
        if not found and self._output.exists():
            found = self._output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in found[-_MAX_PROBLEMS:])[:_MAX_CHARACTERS] or "it says nothing"
