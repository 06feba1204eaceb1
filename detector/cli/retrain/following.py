"""Retraining that goes on: a round whenever the stream has come so much further."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from detector.cli.common.signals import StopSignals
from detector.cli.retrain.rounds import Rounds
from detector.errors import DetectorError

_log = structlog.get_logger(__name__)
_NS = 1_000_000_000
_POLL_SECONDS = 30.0
_LOOKS_A_ROUND = 10


def follow(
    rounds: Rounds, every_seconds: float, drain_timeout_seconds: float, tell: Callable[[dict[str, Any]], None]
) -> None:
    """Round after round, until the process is told to stop: whenever event time has come so much further.

    A round that fails is logged, and tried again when the time comes; the present model goes on.

    Args:
        rounds: Trains and compares.
        every_seconds: Event time between two rounds; the first comes at once.
        drain_timeout_seconds: Time to stop in, once told.
        tell: Takes the report of each round.

    Raises:
        DetectorError: how far event time has come cannot be found out at the start.
    """
    poll_seconds = min(_POLL_SECONDS, every_seconds / _LOOKS_A_ROUND)
    with StopSignals(drain_timeout_seconds) as stop:
        due_ns = rounds.newest_ns()
        while not stop():
            try:
                newest_ns = rounds.newest_ns()
                if newest_ns >= due_ns:
                    due_ns = max(due_ns + round(every_seconds * _NS), newest_ns)
                    tell(rounds.run())
            except DetectorError as error:  # a broker or registry that is away for a while, too
                _log.warning("a round of training failed; the present model goes on", error=str(error))
            end = time.monotonic() + poll_seconds
            while not stop() and time.monotonic() < end:
                time.sleep(0.2)
