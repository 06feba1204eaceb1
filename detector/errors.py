"""One root for every error that a user can cause, each with its exit code."""

from __future__ import annotations


class DetectorError(Exception):
    """Root of the errors that are shown as one message, without a traceback.

    Attributes:
        exit_code: Exit status of the command that ends with this error (table in ``docs/commands.md``).
    """

    exit_code = 1


class ConfigError(DetectorError):
    """A setting, option or file named by the user is wrong. The message says what to change."""

    exit_code = 2


class KafkaUnavailableError(DetectorError):
    """The cluster cannot be used: unreachable, TLS, authentication, a missing topic or a missing right."""

    exit_code = 3


class MissingTopicError(KafkaUnavailableError):
    """A topic does not exist; somebody may still create it."""


class BundleError(DetectorError):
    """A model bundle is missing, damaged, tampered with or does not fit the stream."""

    exit_code = 4


class BadInputLimitError(DetectorError):
    """Nearly everything that arrives is invalid; the worker stopped without committing."""

    exit_code = 5


class FencedError(DetectorError):
    """Another worker runs under the same instance name; this one must not go on."""

    exit_code = 6


class StateMismatchError(DetectorError):
    """State, offsets and topics contradict each other; going on would lose or repeat events silently."""

    exit_code = 7


class LocalStoreError(DetectorError):
    """Series that were moved out of memory cannot be read back from the local disk; a restart makes them anew."""

    exit_code = 10


class RegistryUnavailableError(DetectorError):
    """A registry of models cannot be read or written now, or somebody else moved the alias at this moment."""

    exit_code = 11


class AuditFailedError(DetectorError):
    """What was written differs from what the input leads to."""

    exit_code = 8


class AuditUndeterminedError(DetectorError):
    """Nothing wrong was found, but a part of what was to be looked at could not be known."""

    exit_code = 9


class UnhealthyError(DetectorError):
    """What was asked for its health is not well, or does not answer."""

    exit_code = 12


class InvalidRecordError(Exception):
    """A record that cannot become a sample. It goes to the dead-letter topic, with its reason.

    Args:
        reason: Short, stable, snake_case; a metric label and a header of the dead letter.
        detail: For people; may quote the input, shortened.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
