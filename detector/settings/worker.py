"""The loop: identity, delivery, batches and deadlines."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from detector.settings.values import Seconds, Section

COMMIT_GRACE_SECONDS = 2.0
"""How much longer than the transaction timeout a transactional call is waited for."""
OFFSETS_CALL_SECONDS = 5.0
"""Longest that asking for offsets, or committing them outside of a transaction, may take."""
# In a row, at worst: create the producer, end what its predecessor left (counts twice), commit, abort.
_TRANSACTIONAL_CALLS = 5
_COMMIT_SHARE = 0.5
_SHORTEST_SESSION_SECONDS = 3.0


class BadRecordSettings(Section):
    """When invalid records stop the worker: a wrong topic or producer must not be drained into dead letters."""

    max_ratio: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Stop when more than this share of the last ``ratio_records`` records was invalid."""
    ratio_records: Annotated[int, Field(ge=10)] = 1000
    """How many of the last records ``max_ratio`` is taken over."""
    max_run: Annotated[int, Field(ge=1)] = 500
    """Stop when this many invalid records follow each other on a partition."""


class StateSettings(Section):
    """How much work a restart may cost, and how many series are in memory; no outcome depends on any of it."""

    max_replay_records: Annotated[int, Field(ge=100)] = 20_000
    """At most this many records of a partition are read again, silently, after a restart."""
    snapshot_bytes_per_commit: Annotated[int, Field(ge=1024)] = 4_194_304
    """Snapshots of series are spread over commits so that one carries about this much of them; a checkpoint that is
    being written adds as much again."""
    checkpoint_interval_seconds: Seconds = 3600.0
    """How often each partition's whole state is kept on the epochs topic, so that replay and audit can begin there."""
    max_resident_series: Annotated[int, Field(ge=1)] = 20_000
    """Most series of a partition in memory; beyond them, those with the oldest event time wait in a local file."""
    directory: Path | None = None
    """Where local files of series that are not in memory are put; without it, in the temporary directory."""


class WorkerSettings(Section):
    """The loop: identity, delivery, batches and deadlines."""

    group: Annotated[str, Field(min_length=1)] = "reconstream"
    """Consumer group; with ``instance`` it names the transactional id, so it must be this worker's own."""
    instance: str = Field(default_factory=socket.gethostname, min_length=1)
    """Stable and unique name of this worker within the group; a restart must keep it."""
    static_membership: bool = True
    """A worker that restarts within the session timeout gets its partitions back without a rebalance."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """exactly_once: events, state and offsets commit in one transaction. at_least_once: a fault may repeat events."""
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    """Where to begin on a partition that has neither a committed offset nor state."""
    on_lost_input: Literal["stop", "continue"] = "stop"
    """What to do when retention deleted records before they were read; 'continue' goes on from the oldest one left."""
    on_lost_state: Literal["stop", "rebuild"] = "stop"
    """What to do when the state topic was deleted or is damaged; 'rebuild' makes windows and incidents anew from the
    last ``state.max_replay_records`` records of each partition, and loses incidents that opened before them."""
    on_new_partitions: Literal["stop", "continue"] = "stop"
    """What to do when an input topic has another number of partitions than when its state was written: keys move, and a
    series that moved begins anew where it lands."""
    max_poll_records: Annotated[int, Field(ge=1, le=100_000)] = 5000
    """Most records of one poll. Fewer are asked for where processing them would take longer than a second."""
    commit_interval_seconds: Seconds = 0.5
    """Longest time between commits while records arrive; events become visible with the commit."""
    commit_records: Annotated[int, Field(ge=1)] = 20_000
    """Commit earlier when this many records are pending."""
    session_timeout_seconds: Seconds = 10.0
    """A worker that sent no heartbeat for this long loses its partitions to the others."""
    max_poll_interval_seconds: Seconds = 300.0
    """A worker that is alive but does not come back for records for this long loses its partitions too."""
    transaction_timeout_seconds: Seconds = 10.0
    """A transaction that a dead worker left open is aborted after this long; until then readers of its events wait."""
    drain_timeout_seconds: Seconds = 20.0
    """How long SIGTERM may take to finish and commit what was polled."""
    bad_records: BadRecordSettings = BadRecordSettings()
    """When invalid records stop the worker."""
    state: StateSettings = StateSettings()
    """How much work a restart may cost, and how many series are in memory."""

    @property
    def longest_commit_seconds(self) -> float:
        """How long one commit can take when the brokers do not answer; the group waits for its end."""
        if self.delivery == "at_least_once":
            return 2 * self.transaction_timeout_seconds + OFFSETS_CALL_SECONDS
        return _TRANSACTIONAL_CALLS * (self.transaction_timeout_seconds + COMMIT_GRACE_SECONDS)

    @model_validator(mode="after")
    def _timeouts_agree(self) -> WorkerSettings:
        if self.session_timeout_seconds < _SHORTEST_SESSION_SECONDS:
            raise ValueError(
                f"session_timeout_seconds {self.session_timeout_seconds:g} s would let a short pause of the process "
                f"cost its partitions; set {_SHORTEST_SESSION_SECONDS:g} s or more (brokers refuse less than 6 s "
                "unless their group.min.session.timeout.ms is lower)"
            )
        if self.session_timeout_seconds > self.max_poll_interval_seconds:
            raise ValueError(
                f"session_timeout_seconds {self.session_timeout_seconds:g} s is longer than max_poll_interval_seconds "
                f"{self.max_poll_interval_seconds:g} s, which would then have no effect on a worker that died; "
                "lower the one or raise the other"
            )
        longest = self.longest_commit_seconds
        if longest > _COMMIT_SHARE * self.max_poll_interval_seconds:
            raise ValueError(
                f"max_poll_interval_seconds {self.max_poll_interval_seconds:g} s is too short for "
                f"transaction_timeout_seconds {self.transaction_timeout_seconds:g} s: when brokers do not answer, one "
                f"commit takes up to {longest:g} s, and that must be at most half of it; set max_poll_interval_seconds "
                f"to {longest / _COMMIT_SHARE:g} s or more, or lower transaction_timeout_seconds"
            )
        return self
