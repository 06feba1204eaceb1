"""Exactly once: outputs and consumed offsets in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from detector.kafka.committer import CommitResult, OutputRecord
from detector.kafka.deadline import BoundedCaller
from detector.kafka.membership import Membership
from detector.kafka.producers import close_now, producer_timeouts, send
from detector.records.values import InputPartition
from detector.settings import COMMIT_GRACE_SECONDS

# Another producer under this transactional id took over, or the broker aborted the transaction: this one may not go on.
_FATAL = (ProducerFencedError, InvalidProducerEpochError, InvalidTxnStateError, FencedInstanceIdError)
# The group refused the offsets, so the transaction cannot have committed.
_REFUSED = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
_CLOSE_SECONDS = 0.1
_UNWATCHED_SENDER_SECONDS = 60.0


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
                    closer(lambda: close_now(producer, _UNWATCHED_SENDER_SECONDS), _CLOSE_SECONDS)
                closer.close()
            caller.close()

    def close(self) -> None:
        """Release the producer. Nothing can be pending: a transaction is never open between two commits."""
        self._discard()


def _send_all(producer: Any, outputs: Sequence[OutputRecord], announce: Announce) -> list[Any]:
    """Queue all records, announcing the half and the whole; the futures of their acknowledgements."""
    half = len(outputs) // 2
    futures = [send(producer, output) for output in outputs[:half]]
    announce("some-sent")
    futures += [send(producer, output) for output in outputs[half:]]
    announce("all-sent")
    return futures
