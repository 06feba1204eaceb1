"""A worker process and what its log tells: assignment, restorations, failpoints, the way it ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from detector.failpoints import VARIABLE
from tests.chaos.model import ROOT

DETECTOR = ("-m", "detector")
_BEFORE_THE_END = ("begun", "some-sent", "all-sent", "offsets-sent")


@dataclass(frozen=True, slots=True)
class GoneLive:
    """A partition that was restored.

    Attributes:
        after_seconds: Since the process was started.
        seconds: Of the restoration itself.
        again: Records read again.
        series: In the state.
    """

    partition: int
    next_offset: int
    after_seconds: float
    seconds: float
    again: int
    series: int


@dataclass(slots=True)
class Told:
    """What the log has told so far.

    Attributes:
        assigned: Partitions by the last changes of the assignment.
        live: Those of them that are restored.
        restored: Every restoration.
        recovered_seconds: From start to all partitions of the assignment live, the first time.
        failpoint: Step and action of the last failpoint.
        paused_at: Monotonic time when the process was seen to pause itself; None when it runs.
        awake: Whether it woke up from that pause.
        after_pause: Steps since.
        traces: Lines that are not of the log: a traceback, the final error.
    """

    assigned: set[int] = field(default_factory=set)
    live: set[int] = field(default_factory=set)
    restored: list[GoneLive] = field(default_factory=list)
    recovered_seconds: float | None = None
    failpoint: tuple[str, str] | None = None
    paused_at: float | None = None
    awake: bool = False
    after_pause: list[str] = field(default_factory=list)
    refused: int = 0
    unknown: int = 0
    url: str | None = None
    traces: list[str] = field(default_factory=list)

    @property
    def attempted(self) -> bool:
        """Whether it went on with a commit after the pause."""
        step = self.failpoint[0] if self.failpoint else ""
        return self.awake and (step in _BEFORE_THE_END or any(s in _BEFORE_THE_END for s in self.after_pause))

    @property
    def let_through(self) -> bool:
        """Whether the broker accepted that commit."""
        return "committed" in self.after_pause


class WorkerProcess:
    """One life of a worker.

    Args:
        name: Instance.
        config: Settings file.
        log: Where its log goes.
        overrides: Environment variables.
        failpoint: See `detector.failpoints`.
        entry: Arguments of Python before ``run``; a mutant's instead of the real program's.
    """

    def __init__(
        self,
        name: str,
        config: Path,
        log: Path,
        overrides: Mapping[str, str],
        failpoint: str | None = None,
        entry: Sequence[str] = DETECTOR,
    ) -> None:
        self.name = name
        self.log = log
        self.told = Told()
        self.orders = failpoint
        environment = {**os.environ, "RECONSTREAM_WORKER__INSTANCE": name, **overrides, "PYTHONPATH": str(ROOT)}
        environment.pop(VARIABLE, None)
        if failpoint is not None:
            environment[VARIABLE] = failpoint
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started_at = time.monotonic()
        self._started_wall = time.time()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *entry, "run", "-c", str(config)],
                env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=config.parent,
            )  # fmt: skip
        self._reading = log.open("rb")
        self._partial = b""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens once it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, whatever state it is in, and wait."""
        self._process.kill()
        self._process.wait()

    def ended(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """Make sure that it is gone and its log read."""
        if self.ended() is None:
            self.kill()
        if not self.is_closed:
            self.read_log()
            self._reading.close()

    @property
    def is_closed(self) -> bool:
        """Whether the log is read to its end, and nothing more will come."""
        return self._reading.closed

    def read_log(self) -> Told:
        """Take in what was logged since."""
        data = self._partial + self._reading.read()
        *lines, self._partial = data.split(b"\n")
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                self.told.traces.append(line.decode("utf-8", "replace"))
                continue
            if isinstance(entry, dict) and "event" in entry:
                self._take(entry)
        return self.told

    def _take(self, entry: Mapping[str, Any]) -> None:
        told, event = self.told, entry["event"]
        if event == "assignment changed":
            told.live -= {_number(p) for p in entry["dropped"]} | {_number(p) for p in entry["assigned"]}
            told.assigned = (told.assigned - {_number(p) for p in entry["dropped"]}) | {
                _number(p) for p in entry["assigned"]
            }
        elif event == "live":
            after = datetime.fromisoformat(entry["time"]).timestamp() - self._started_wall
            told.live.add(entry["partition"])
            told.restored.append(
                GoneLive(
                    entry["partition"], entry["next_offset"], after, entry["seconds"],
                    entry["records_read_again"], entry["series"],
                )
            )  # fmt: skip
            if told.live >= told.assigned and told.recovered_seconds is None:
                told.recovered_seconds = after
        elif event == "failpoint":
            told.failpoint = (entry["step"], entry["action"])
            if entry["action"] in {"pause", "stall"}:
                told.paused_at = time.monotonic()
        elif event == "awake again":
            told.awake = True
        elif event == "step after a pause":
            told.after_pause.append(entry["step"])
        elif event.startswith("the group refused a commit"):
            told.refused += 1
        elif event.startswith("the outcome of a commit is unknown"):
            told.unknown += 1
        elif event == "started":
            told.url = entry["metrics"]
        if "exception" in entry:
            told.traces.append(str(entry["exception"]))


def _number(partition: str) -> int:
    return int(partition.rpartition("/")[2])
