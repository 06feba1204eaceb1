"""kafka-python's errors for those who may not import it: named, or in the words of this program."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kafka.errors import KafkaError
from kafka.errors import KafkaError as TransientKafkaError

from detector.errors import KafkaUnavailableError

__all__ = ["TransientKafkaError", "answered"]


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """What the client raises inside becomes an error that commands tell their users.

    Raises:
        KafkaUnavailableError: instead of any error of the client.
    """
    try:
        yield
    except KafkaError as error:
        raise KafkaUnavailableError(
            f"the cluster does not answer: {error}. See to its brokers and to the way there, and try again"
        ) from error
