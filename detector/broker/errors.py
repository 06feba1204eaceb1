"""What can go wrong with the local broker beyond the user's options."""

from __future__ import annotations

from detector.errors import KafkaUnavailableError


class LocalBrokerError(KafkaUnavailableError):
    """The local broker could not be installed or started. The message says what to do."""
