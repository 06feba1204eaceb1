"""Outputs and consumed offsets, committed together."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    InvalidTxnStateError,
    KafkaError,
    ProducerFencedError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from detector.errors import FencedError
from detector.failpoints import Announce, silent
from detector.kafka.deadline import BoundedCaller
from detector.kafka.source import GroupSource, Membership
from detector.records.values import InputPartition
from detector.settings import COMMIT_GRACE_SECONDS

# Another producer under this transactional id took over, or the broker aborted the transaction: this one may not go on.
_FATAL = (ProducerFencedError, InvalidProducerEpochError, InvalidTxnStateError, FencedInstanceIdError)
# The group refused the offsets, so the transaction cannot have committed.
_REFUSED = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_DELIVERY_SHARE = 0.8
_REQUEST_SHARE = 0.6
_CLOSE_SECONDS = 0.1
_SENDER_SECONDS = 1.0
_UNWATCHED_SENDER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One record for an output topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class CommitResult(enum.Enum):
    """How a commit ended, and so what becomes of the outcomes that it held."""

    COMMITTED = "committed"
    """All of it is visible, once."""
    REFUSED = "refused"
    """None of it is; outcomes of partitions that are still owned may be sent again, unchanged."""
    UNKNOWN = "unknown"
    """It may or may not be; every outcome and all state must be dropped and read back."""


class Committer(Protocol):
    """Makes outputs and offsets durable."""

    def prepare(self) -> None:
        """Get ready before partitions are restored; called once, at start.

        Raises:
            FencedError: another worker took this one's place.
        """

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        """Write ``outputs`` and advance the group to ``offsets``.

        Raises:
            FencedError: another worker took this one's place.
        """

    def close(self) -> None:
        """Release the producer without waiting for anything."""


def producer_timeouts(transaction_timeout_seconds: float) -> dict[str, int]:
    """Client timeouts, in milliseconds, that end before the broker's transaction timeout does."""
    delivery_ms = int(transaction_timeout_seconds * 1000 * _DELIVERY_SHARE)
    return {
        "delivery_timeout_ms": delivery_ms,
        "request_timeout_ms": int(delivery_ms * _REQUEST_SHARE),
        "linger_ms": 5,
    }


def _send(producer: Any, output: OutputRecord) -> Any:
    """Queue a record; the future of its acknowledgement."""
    return producer.send(
        output.topic,
        value=output.value,
        key=output.key,
        headers=list(output.headers),
        partition=output.partition,
    )


def _close_now(producer: Any, sender_seconds: float = _SENDER_SECONDS) -> None:
    """Close a producer, whatever it has under way; nothing more leaves it.

    Args:
        producer: Of kafka-python.
        sender_seconds: How long its sender, which may be waiting for the network, is given to end.

    ``KafkaProducer.close(timeout=0)`` of kafka-python 3.0 first flushes, and gives up, with its sender running, when a
    record is not acknowledged yet: records and even the end of a transaction could still go out later.
    """
    sender = getattr(producer, "_sender", None)
    if sender is not None:
        sender.force_close()
        sender.join(sender_seconds)  # it fails what is not acknowledged, so that there is nothing to flush
    with contextlib.suppress(KafkaError):
        producer.close(timeout=0)


def _send_all(producer: Any, outputs: Sequence[OutputRecord], announce: Announce) -> list[Any]:
    """Queue all records, announcing the half and the whole; the futures of their acknowledgements."""
    half = len(outputs) // 2
    futures = [_send(producer, output) for output in outputs[:half]]
    announce("some-sent")
    futures += [_send(producer, output) for output in outputs[half:]]
    announce("all-sent")
    return futures


class TransactionalCommitter:
    """Exactly once: outputs, state and offsets in one Kafka transaction (KIP-98, KIP-447).

    On a timeout, or on any error that does not say that nothing was committed, the commit is never tried again:
    kafka-python speaks the protocol before KIP-890, in which a delayed end of a transaction can hit the next one. The
    producer is discarded instead and a fresh one, with a higher epoch, fences whatever the old one may still have
    under way.

    Args:
        config: Client configuration from `detector.kafka.client.producer_config`.
        transactional_id: Stable and unique; group and instance make it so.
        transaction_timeout_seconds: After it the broker aborts a transaction by itself.
        make_producer: Replaced by tests that inject faults.
        announce: Told of each step of a commit (`detector.failpoints`).
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        transactional_id: str,
        transaction_timeout_seconds: float,
        make_producer: Callable[..., Any] = KafkaProducer,
        announce: Announce = silent,
    ) -> None:
        self._config = {
            **config,
            **producer_timeouts(transaction_timeout_seconds),
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(transaction_timeout_seconds * 1000),
            "acks": "all",
        }
        self._transactional_id = transactional_id
        self._timeout_seconds = transaction_timeout_seconds + COMMIT_GRACE_SECONDS
        self._make_producer = make_producer
        self._announce = announce
        self._producer: Any = None
        self._call: BoundedCaller | None = None

    def open(self) -> None:
        """Start a producer; the broker ends whatever an earlier one under this id left open.

        Raises:
            FencedError: another process took over while this one opened.
            KafkaError: the cluster cannot be reached now; may be called again.
            TimeoutError: as above.
        """
        self._discard()
        self._call = BoundedCaller("transactions")
        self._producer = self._call(lambda: self._make_producer(**self._config), self._timeout_seconds)
        try:
            # The old transaction may have to run into its timeout first.
            self._call(self._producer.init_transactions, 2 * self._timeout_seconds)
        except _FATAL as error:
            self._discard()
            raise self._fenced(error) from error
        except BaseException:
            self._discard()
            raise

    def prepare(self) -> None:
        """End at once what a killed process of this name left open.

        Its offsets are unstable until then, and restoring its partitions would wait for the transaction's timeout. A
        cluster that does not answer now is left to the first commit, which opens the producer then.
        """
        with contextlib.suppress(KafkaError, TimeoutError):
            self.open()

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        """See `Committer.commit`. Without a producer (after anything but COMMITTED) one is opened first."""
        try:
            if self._producer is None:
                self.open()
            if not membership.valid:
                # The broker would take it for a consumer without a group and let it through unfenced: send nothing.
                return CommitResult.UNKNOWN
            assert self._call is not None  # noqa: S101 - open() has set it; for the type checker
            self._call(lambda: self._transact(outputs, offsets, membership), self._timeout_seconds)
        except _FATAL as error:
            self._discard()
            raise self._fenced(error) from error
        except _REFUSED:
            return self._abort()
        except (KafkaError, TimeoutError):
            self._discard()
            return CommitResult.UNKNOWN
        return CommitResult.COMMITTED

    def _transact(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> None:
        producer = self._producer
        producer.begin_transaction()
        self._announce("begun")
        futures = _send_all(producer, outputs, self._announce)
        producer.send_offsets_to_transaction(
            {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()},
            membership.metadata,
        )
        # kafka-python 3.0 commits although records were given up: when a batch runs into the delivery timeout, its
        # sender trips (``reset_producer_id`` of a transactional producer) before it has failed the transaction.
        for future in futures:
            future.get(timeout=self._timeout_seconds)
        self._announce("offsets-sent")
        producer.commit_transaction()
        self._announce("committed")

    def _abort(self) -> CommitResult:
        """End the transaction, and never use this producer again.

        It keeps the offsets that the group refused, and sends them along with those of its next transaction
        (``TransactionManager._pending_txn_offset_commits`` of kafka-python 3.0 outlives an abort): the group would
        stand at offsets whose outcomes were never written.
        """
        assert self._call is not None  # noqa: S101 - for the type checker
        try:
            self._call(self._producer.abort_transaction, self._timeout_seconds)
        except _FATAL as error:
            self._discard()
            raise self._fenced(error) from error
        except (KafkaError, TimeoutError):
            self._discard()
            return CommitResult.UNKNOWN
        self._discard()
        return CommitResult.REFUSED

    def _fenced(self, error: BaseException) -> FencedError:
        return FencedError(
            f"the transactional id {self._transactional_id!r} was taken over ({type(error).__name__}): either another "
            "worker runs with the same worker.group and worker.instance, so give each a name of its own, or this one "
            "was paused, or cut off from the brokers, for longer than worker.transaction_timeout_seconds, so start it "
            "again"
        )

    def _discard(self) -> None:
        producer, caller = self._producer, self._call
        self._producer = self._call = None
        if caller is not None:
            if producer is not None:
                # Closing may block on the network as well; nobody waits for it.
                closer = BoundedCaller("discarded-producer")
                with contextlib.suppress(KafkaError, TimeoutError):
                    closer(lambda: _close_now(producer, _UNWATCHED_SENDER_SECONDS), _CLOSE_SECONDS)
                closer.close()
            caller.close()

    def close(self) -> None:
        """Release the producer. Nothing can be pending: a transaction is never open between two commits."""
        self._discard()


class AtLeastOnceCommitter:
    """At least once: outputs are flushed, then offsets are committed.

    A crash in between repeats events, under the same ids.

    Args:
        config: Client configuration from `detector.kafka.client.producer_config`.
        source: Commits the offsets.
        transaction_timeout_seconds: Time for all of a commit's outputs to be acknowledged.
        last: Topics that say how far the worker is. They are written only once everything else is acknowledged: state
        that
            survives a crash must never be ahead of the events that it stands for.
        announce: Told of each step of a commit (`detector.failpoints`).
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        source: GroupSource,
        transaction_timeout_seconds: float,
        last: Collection[str] = (),
        announce: Announce = silent,
    ) -> None:
        self._producer = KafkaProducer(
            **{**config, **producer_timeouts(transaction_timeout_seconds), "enable_idempotence": True, "acks": "all"}
        )
        self._source = source
        self._timeout_seconds = transaction_timeout_seconds
        self._last = frozenset(last)
        self._announce = announce

    def prepare(self) -> None:
        """Nothing is left open by a process without transactions."""

    def _write(self, outputs: Sequence[OutputRecord]) -> None:
        futures = [_send(self._producer, output) for output in outputs]
        self._producer.flush(timeout=self._timeout_seconds)
        for future in futures:
            future.get(timeout=0)

    def commit(
        self, outputs: Sequence[OutputRecord], offsets: Mapping[InputPartition, int], membership: Membership
    ) -> CommitResult:
        """See `Committer.commit`; any failure leaves the outcome unknown, and what was sent may be sent again."""
        if not membership.valid:
            return CommitResult.UNKNOWN
        try:
            self._announce("begun")
            self._write([output for output in outputs if output.topic not in self._last])
            self._announce("some-sent")
            self._write([output for output in outputs if output.topic in self._last])
            self._announce("all-sent")
            self._source.commit(offsets)
            self._announce("committed")
        except FencedInstanceIdError as error:
            raise FencedError("another worker joined the group with the same worker.instance") from error
        except (KafkaError, TimeoutError):
            return CommitResult.UNKNOWN
        return CommitResult.COMMITTED

    def close(self) -> None:
        """Release the producer."""
        _close_now(self._producer)
