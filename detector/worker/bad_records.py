"""When invalid records stop the worker: a wrong topic or a broken producer must not be drained into dead letters."""

from __future__ import annotations

from collections import deque

from detector.errors import BadInputLimitError
from detector.pipeline.outcome import Outcome
from detector.records.values import InputPartition
from detector.settings import BadRecordSettings


class BadRecordGuard:
    """Stops the worker when nearly everything that arrives is invalid, over a share of recent records or in a row."""

    def __init__(self, settings: BadRecordSettings) -> None:
        self._settings = settings
        self._recent: deque[tuple[int, int]] = deque()
        self._total = self._bad = 0

    def observe(self, partition: InputPartition, outcome: Outcome) -> None:
        """Take a batch into account.

        Raises:
            BadInputLimitError: a limit is exceeded; nothing of this batch may be committed.
        """
        bad = len(outcome.dead_letters)
        self._recent.append((outcome.records, bad))
        self._total += outcome.records
        self._bad += bad
        while self._recent and self._total - self._recent[0][0] >= self._settings.ratio_records:
            records, invalid = self._recent.popleft()
            self._total -= records
            self._bad -= invalid
        where = f"{partition.topic}/{partition.partition}"
        remedy = (
            "Nothing of it was committed. Check that the stream's record settings fit the topic (the reasons above and "
            "in reconstream_records_rejected_total say what is wrong), or raise worker.bad_records"
        )
        if outcome.longest_bad_run >= self._settings.max_run:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(outcome.rejected.items()))
            raise BadInputLimitError(
                f"{outcome.longest_bad_run} records in a row of {where} are invalid ({reasons}). {remedy}"
            )
        if self._total >= self._settings.ratio_records and self._bad > self._settings.max_ratio * self._total:
            raise BadInputLimitError(
                f"{self._bad} of the last {self._total} records, up to {where}, are invalid. {remedy}"
            )
