"""The limits of bad input, apart from any broker."""

from __future__ import annotations

import pytest

from detector.alerting.dead_letter import DeadLetter
from detector.errors import BadInputLimitError
from detector.pipeline.outcome import Outcome
from detector.records.values import InputPartition
from detector.settings import BadRecordSettings
from detector.worker.bad_records import BadRecordGuard

PARTITION = InputPartition("telemetry", 3)


def outcome(records: int, bad: int, run: int = 0) -> Outcome:
    letters = [(offset, DeadLetter(None, b"", ())) for offset in range(bad)]
    return Outcome(records=records, dead_letters=letters, rejected={"not_json": bad}, longest_bad_run=run)


def test_a_share_below_the_limit_goes_on_for_ever() -> None:
    guard = BadRecordGuard(BadRecordSettings(max_ratio=0.5, ratio_records=100, max_run=1000))
    for _ in range(50):
        guard.observe(PARTITION, outcome(10, 5))


def test_the_share_is_that_of_recent_records_not_of_all() -> None:
    guard = BadRecordGuard(BadRecordSettings(max_ratio=0.5, ratio_records=100, max_run=1000))
    guard.observe(PARTITION, outcome(10_000, 0))
    for _ in range(9):
        guard.observe(PARTITION, outcome(10, 10))
    with pytest.raises(BadInputLimitError, match=r"100 of the last 100 records, up to telemetry/3, are invalid"):
        guard.observe(PARTITION, outcome(10, 10))


def test_too_few_records_prove_nothing() -> None:
    guard = BadRecordGuard(BadRecordSettings(max_ratio=0.5, ratio_records=100, max_run=1000))
    guard.observe(PARTITION, outcome(99, 99))


def test_a_run_of_bad_records_stops_at_once() -> None:
    guard = BadRecordGuard(BadRecordSettings(max_run=20))
    guard.observe(PARTITION, outcome(1000, 19, run=19))
    with pytest.raises(BadInputLimitError, match=r"20 records in a row of telemetry/3 are invalid \(not_json 20\)"):
        guard.observe(PARTITION, outcome(1000, 20, run=20))
