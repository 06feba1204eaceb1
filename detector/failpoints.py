"""Named steps of the worker, and a way to fail at one of them. Nothing happens unless an environment variable asks.

The worker announces each step of a commit and of a restoration. With ``RECONSTREAM_FAILPOINT=offsets-sent:kill:3`` the
process kills itself the third time that it has sent its offsets: tests of delivery can so end a worker at every point
at which the outcome differs, rather than hope that a random moment meets it. Several are separated by commas.

Actions: ``kill`` (SIGKILL), ``pause`` (SIGSTOP, until somebody sends SIGCONT), ``stall=SECONDS`` (the calling thread
sleeps while heartbeats go on), ``exit`` (at once, status 70) and ``error`` (an unexpected exception).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from detector.errors import ConfigError

VARIABLE: Final = "RECONSTREAM_FAILPOINT"

COMMIT_STEPS: Final = (
    "polled",  # records are here, none of them looked at
    "processed",  # their outcomes are in memory
    "state-gathered",  # snapshots are taken, nothing is sent
    "begun",  # a transaction is open on the client
    "some-sent",  # half of the outputs are with the producer
    "all-sent",  # all of them are, no offsets
    "offsets-sent",  # the transaction is complete but not committed
    "committed",  # the broker has committed; the worker does not know of it
    "noted",  # the worker does
)
"""Of one commit, in order. Polling and processing may come several times before the rest."""

RESTORE_STEPS: Final = (
    "state-loaded",  # the state topic is read
    "re-read",  # the windows are as of the committed offset
    "resumed",  # the partition is live
)
"""Of the restoration of one partition, in order."""

Announce = Callable[[str], None]

# So long the producer's own thread goes on: what it was handed is really on its way when the process ends.
_LET_GO_SECONDS = 0.05
_EXIT_STATUS = 70
_log = structlog.get_logger(__name__)


class FailpointError(Exception):
    """What the action ``error`` raises: nothing in the worker expects it."""


def silent(step: str) -> None:
    """Announce to nobody."""
    del step


@dataclass(slots=True)
class _Failpoint:
    """One order: what to do, and how many more times the step is passed before."""

    step: str
    action: str
    seconds: float
    left: int


class Failpoints:
    """Does what it was ordered to do when its step is announced for the n-th time.

    After a pause it logs the steps that follow, up to the next poll that brings records: what a worker attempts once
    it wakes up too late.

    Args:
        orders: Parsed.
    """

    def __init__(self, orders: Sequence[_Failpoint]) -> None:
        self._orders = list(orders)
        self._awoke = False

    def __call__(self, step: str) -> None:
        """A step was reached."""
        if self._awoke:
            _log.warning("step after a pause", step=step)
            self._awoke = step not in {"polled", "noted"}
        for order in self._orders:
            if order.step == step and order.left > 0:
                order.left -= 1
                if order.left == 0:
                    self._act(order)

    def _act(self, order: _Failpoint) -> None:
        _log.warning("failpoint", step=order.step, action=order.action)
        sys.stderr.flush()
        if order.action == "kill":
            time.sleep(_LET_GO_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)
        elif order.action == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(_LET_GO_SECONDS)  # the signal may reach another thread first, and this one a moment later
            self._awoke = True
            _log.warning("awake again", step=order.step)
        elif order.action == "stall":
            time.sleep(order.seconds)
            self._awoke = True
            _log.warning("awake again", step=order.step)
        elif order.action == "exit":
            os._exit(_EXIT_STATUS)
        else:
            raise FailpointError(f"ordered at {order.step}")


def failpoints(env: Mapping[str, str]) -> Announce:
    """What the environment asks for; `silent` when it asks for nothing.

    Raises:
        ConfigError: the variable cannot be understood.
    """
    text = env.get(VARIABLE, "")
    return Failpoints([_parse(part.strip()) for part in text.split(",")]) if text.strip() else silent


def _parse(text: str) -> _Failpoint:
    step, _, rest = text.partition(":")
    action, _, count = rest.partition(":")
    action, _, seconds = action.partition("=")
    known = (*COMMIT_STEPS, *RESTORE_STEPS)
    if step not in known:
        raise ConfigError(f"{VARIABLE}: {step!r} is not a step; the steps are {', '.join(known)}")
    if action not in {"kill", "pause", "stall", "exit", "error"} or (action == "stall") != bool(seconds):
        raise ConfigError(
            f"{VARIABLE}: {rest!r} is not an action; write kill, pause, stall=SECONDS, exit or error, "
            "and after a colon the how-manieth time"
        )
    try:
        order = _Failpoint(step, action, float(seconds or 0), int(count or 1))
    except ValueError:
        order = _Failpoint(step, action, 0.0, 0)
    if order.left < 1:
        raise ConfigError(f"{VARIABLE}: {text!r} is not step:action:count with a count from 1 on")
    return order
