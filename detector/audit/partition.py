"""The audit of one partition of a stream: a walk through its past, compared step by step with what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from detector.alerting.dead_letter import HEADER_PREFIX, DeadLetter
from detector.audit.findings import Finding, Findings, Kind, Subject
from detector.audit.matching import Matching, Output
from detector.audit.outputs import (
    Odd,
    Origin,
    Pieces,
    WrittenEvent,
    dead_letter_differences,
    dead_letter_output,
    dead_letters,
    event_differences,
    event_output,
    events,
)
from detector.audit.report import MOST_NAMES, PartitionReport
from detector.audit.states import StateCheck
from detector.errors import StateMismatchError
from detector.lived.plan import Hole
from detector.lived.walk import Passage

# These depend on what is known of the series, or of the others; all other reasons are found in the record itself.
_BY_STATE = (b"unconfirmed_jump", b"too_many_series")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written about a partition.

    Attributes:
        events: From the partition of the events topic.
        dead_letters: From the partition of the dead-letter topic.
        input_end: First offset that the input does not have yet: nothing can be about a record from there on.
    """

    events: Pieces
    dead_letters: Pieces
    input_end: int


class PartitionAudit:
    """Audits one partition.

    Args:
        origin: Whose outputs are looked at.
        report: Counts, and names the range.
        findings: Takes what is found.
        state: What the state topic holds; None when there is nothing to compare with.
        written: What the output topics hold.
        progress: Called with the number of records after each piece.
    """

    def __init__(
        self,
        origin: Origin,
        report: PartitionReport,
        findings: Findings,
        state: StateCheck | None,
        written: Written,
        progress: Callable[[int], None],
    ) -> None:
        self._origin = origin
        self._report = report
        self._findings = findings
        self._state = state
        self._written = written
        self._progress = progress
        self._now: Passage | None = None
        self._unsure: set[str] = set()
        odd = self._odd("event")
        self._events: Matching[WrittenEvent] = Matching(
            self._inside(events(written.events, origin, odd), odd),
            event_differences,
            self._event_is_certain,
            self._reporter("event"),
        )
        odd = self._odd("dead letter")
        self._letters: Matching[DeadLetter] = Matching(
            self._inside(dead_letters(written.dead_letters, origin, odd), odd),
            dead_letter_differences,
            self._letter_is_certain,
            self._reporter("dead letter"),
        )

    def run(self, passages: Iterable[Passage | None]) -> set[str]:
        """Compare; returns the names of all series that were met.

        Raises:
            KafkaUnavailableError: the cluster does not answer.
        """
        report, met = self._report, set[str]()
        try:
            for passage in passages:
                if passage is None:
                    self._progress(0)
                    continue
                self._step(passage)
        except StateMismatchError as error:
            reached = report.first if self._now is None else self._now.reached
            report.holes.append(Hole(reached, report.stop, str(error)))
        if self._now is not None:
            met.update(self._now.pipeline.store)
            self._note_uncertain(self._now, self._now.pipeline.store)
        self._events.finish()
        self._letters.finish()
        report.events, report.dead_letters = self._events.compared, self._letters.compared
        if self._state is not None:
            report.snapshots, report.unchecked_snapshots = self._state.compared, self._state.unchecked()
        report.undetermined_count = len(self._unsure)
        report.undetermined_series = sorted(self._unsure)[:MOST_NAMES]
        return met

    def _step(self, passage: Passage) -> None:
        if self._now is not None and self._now.stage is not passage.stage:
            self._note_uncertain(self._now, self._now.pipeline.store)
        self._now = passage
        outcome, counts_from = passage.outcome, self._report.first
        if passage.reached > counts_from:
            self._report.records += outcome.records
        holds = passage.certainty.holds
        expected_events = [
            (event_output(event, series.encode()), passage.certainty.covers(event))
            for series, event in outcome.events
            if event.source.last_offset >= counts_from
        ]
        expected_letters = [
            (dead_letter_output(offset, letter), passage.certainty.known or not _by_state(letter))
            for offset, letter in outcome.dead_letters
            if offset >= counts_from
        ]
        for rows in outcome.scores:
            self._unsure.update(
                series
                for series, offset in zip(rows.series, rows.offset.tolist(), strict=True)
                if offset >= counts_from and not holds(series, offset)
            )
        self._events.advance(expected_events, passage.reached)
        self._letters.advance(expected_letters, passage.reached)
        if self._state is not None and passage.reached > counts_from:
            self._state.compare(passage.pipeline, passage.context.spec, passage.reached, passage.certainty)
        elif self._state is not None:
            self._state.pass_over(passage.pipeline, passage.reached)
        self._progress(outcome.records)

    def _note_uncertain(self, passage: Passage, series: Iterable[str]) -> None:
        """Series that are still uncertain at the end of a stage, those included that gave no score."""
        if not passage.certainty.known:
            certain = passage.certainty.certain()
            self._unsure.update(name for name in series if name not in certain)

    # -- what belongs to the range
    # ---------------------------------------------------------------------------------------

    def _inside(self, written: Iterator[Output[T] | None], odd: Odd) -> Iterator[Output[T] | None]:
        """Outputs of the range. Those of its holes are passed over: nothing can be said of them."""
        report = self._report
        for output in written:
            if output is None:
                yield None
            elif output.offset >= self._written.input_end:
                odd("unexpected", output.offset, f"the input ends at {self._written.input_end}", output.key)
            elif report.first <= output.offset < report.stop and not self._in_hole(output.offset):
                yield output

    def _in_hole(self, offset: int) -> bool:
        return any(hole.first <= offset < hole.stop for hole in self._report.holes)

    # -- how sure we are, and how it is told
    # -------------------------------------------------------------------------------

    def _event_is_certain(self, output: Output[WrittenEvent]) -> bool:
        now = self._now
        if self._in_hole(output.offset):
            return False
        return now is None or now.certainty.covers(output.content.event)

    def _letter_is_certain(self, output: Output[DeadLetter]) -> bool:
        if self._in_hole(output.offset):
            return False
        return self._now is None or self._now.certainty.known or not _by_state(output.content)

    def _reporter(self, subject: Subject) -> Callable[[Kind, Output[T], bool, Sequence[str]], None]:
        def report(kind: Kind, output: Output[T], certain: bool, fields: Sequence[str]) -> None:
            content = output.content
            detail = ""
            if isinstance(content, WrittenEvent):
                detail = f"{content.event.event}, sequence {content.event.sequence}"
            elif isinstance(content, DeadLetter):
                detail = _header(content, "reason").decode("utf-8", "replace")
            self._add(
                subject, kind, certain, output.offset, output.series or None,
                output.key if subject == "event" else None, detail, tuple(fields),
            )  # fmt: skip

        return report

    def _odd(self, subject: Subject) -> Odd:
        def odd(kind: Literal["unreadable", "unexpected"], offset: int, detail: str, key: str | None) -> None:
            self._add(subject, kind, True, offset, None, key if subject == "event" else None, detail, ())

        return odd

    def _add(
        self,
        subject: Subject,
        kind: Kind,
        certain: bool,
        offset: int,
        series: str | None,
        key: str | None,
        detail: str,
        fields: tuple[str, ...],
    ) -> None:
        self._findings.add(
            Finding(
                subject, kind, certain, self._origin.stream, self._origin.partition, offset, series, key, detail, fields
            )
        )


def _header(letter: DeadLetter, name: str) -> bytes:
    return next((value for header, value in letter.headers if header == HEADER_PREFIX + name), b"")


def _by_state(letter: DeadLetter) -> bool:
    return _header(letter, "reason") in _BY_STATE
