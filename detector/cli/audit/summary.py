"""What an audit found, for machines and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any, TextIO

from detector.audit.findings import Finding, Kind, Subject
from detector.audit.report import AuditReport, PartitionReport
from detector.errors import AuditFailedError, AuditUndeterminedError, DetectorError

_SHOWN = 20


def conclusion(report: AuditReport) -> DetectorError | None:
    """How the command ends; None when all is as it should be."""
    if report.differences:
        more = ", and a part could not be known" if report.undetermined else ""
        return AuditFailedError(f"{_count(report.differences, 'difference')} found{more}")
    if report.undetermined:
        return AuditUndeterminedError("a part of the range could not be known; nothing wrong was found in the rest")
    return None


def as_document(report: AuditReport) -> dict[str, Any]:
    """The report as plain values; the fields are documented in ``docs/commands.md``."""
    ending = conclusion(report)
    return {
        "result": {None: "clean", 8: "different", 9: "undetermined"}[ending.exit_code if ending else None],
        "seconds": round(report.seconds, 3),
        "compared": {
            name: report.totals()[name] for name in ("records", "events", "dead_letters", "snapshots")
        },
        "differences": _counts(report.findings.counts),
        "undetermined": {
            "findings": _counts(report.findings.undetermined),
            "series": report.totals()["undetermined_series"],
        },
        "partitions": [_partition(part) for part in report.partitions],
        "findings": [_finding(finding) for finding in report.findings],
        "series_in_several_partitions": [
            {"stream": stream, "series": series, "partitions": sorted(numbers)}
            for (stream, series), numbers in sorted(report.spread.items())
        ],
        "warnings": report.warnings,
    }  # fmt: skip


def _counts(counts: Mapping[tuple[Subject, Kind], int]) -> dict[str, int]:
    return {f"{subject} {kind}": count for (subject, kind), count in sorted(counts.items())}


def _partition(part: PartitionReport) -> dict[str, Any]:
    return {
        "stream": part.stream,
        "topic": part.partition.topic,
        "partition": part.partition.partition,
        "offsets": [part.first, part.stop],
        "records": part.records,
        "events": part.events,
        "dead_letters": part.dead_letters,
        "snapshots": part.snapshots,
        "snapshots_from_before": part.unchecked_snapshots,
        "epochs": [{"from_offset": offset, "model": model} for offset, model in part.epochs],
        "started_from": [{"offset": offset, "what": what} for offset, what in part.started],
        "holes": [{"offsets": [hole.first, hole.stop], "reason": hole.reason} for hole in part.holes],
        "undetermined_series": part.undetermined_series,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "kind": finding.kind,
        "certain": finding.certain,
        "stream": finding.stream,
        "topic": finding.partition.topic,
        "partition": finding.partition.partition,
        "offset": finding.offset,
        "series": finding.series,
        "event_id": finding.id,
        "fields": list(finding.fields),
        "detail": finding.detail,
    }


def print_report(report: AuditReport, stream: TextIO, config: str) -> None:
    """The report for people, on ``stream``."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, soft_wrap=True, markup=False)
    for line in _overview(report):
        console.print(line)
    for line in _findings(report, config):
        console.print(line)
    for line in _unknown(report):
        console.print(line)
    for (name, series), numbers in list(report.spread.items())[:_SHOWN]:
        places = ", ".join(map(str, sorted(numbers)))
        console.print(f"warning: series {series!r} of stream {name} is in partitions {places}: it is a series of its "
                      "own in each")  # fmt: skip
    if report.spread:
        if len(report.spread) > _SHOWN:
            console.print(f"  … and {len(report.spread) - _SHOWN} more such series")
        console.print("  publish with the series as the key; 'detector repartition' writes a correctly keyed topic")
    for warning in report.warnings:
        console.print(f"warning: {warning}")
    if not report.totals()["records"]:
        console.print(
            "warning: no records were compared; look at the range, if one was given (times are those of the records)"
        )
    ending = conclusion(report)
    console.print("clean" if ending is None else str(ending), style="bold green" if ending is None else "bold red")


def _overview(report: AuditReport) -> Iterator[str]:
    totals = report.totals()
    yield (
        f"compared {_count(totals['records'], 'record')}, {_count(totals['events'], 'event')}, "
        f"{_count(totals['dead_letters'], 'dead letter')} and {_count(totals['snapshots'], 'snapshot')} of "
        f"{_count(len(report.partitions), 'partition')} in {report.seconds:.1f} s"
    )
    for part in report.partitions:
        epochs = ", ".join(f"{model} from offset {offset}" for offset, model in part.epochs)
        started = "; ".join(f"{what}" for _, what in part.started)
        yield (
            f"  {part.partition.topic}/{part.partition.partition}: offsets {part.first} to {part.stop}"
            + (f", model {epochs}" if epochs else "")
            + (f", started from {started}" if started else "")
        )
    yield ""


def _findings(report: AuditReport, config: str) -> Iterator[str]:
    for (subject, kind, certain), kept in sorted(
        report.findings.kept.items(), key=lambda item: (not item[0][2], item[0])
    ):
        counts = report.findings.counts if certain else report.findings.undetermined
        count = counts[subject, kind]
        yield f"{_count(count, subject)} {kind}" + ("" if certain else ", undetermined")
        for finding in kept[:_SHOWN]:
            yield "  " + _line(finding)
        if count > _SHOWN:
            yield f"  … and {count - _SHOWN} more" + ("; --json lists them" if len(kept) > _SHOWN else "")
        # Of what belongs to no series, such as the state's offset, a replay shows nothing.
        if any(finding.series is not None or finding.id is not None for finding in kept[:_SHOWN]):
            yield "  " + _command(kept[:_SHOWN], config)
        yield ""


def _line(finding: Finding) -> str:
    where = f"{finding.partition.topic}/{finding.partition.partition} offset {finding.offset}"
    parts = [where]
    if finding.series is not None:
        parts.append(f"series {finding.series!r}")
    if finding.id is not None:
        parts.append(f"event {finding.id}")
    if finding.fields:
        parts.append("differs in " + ", ".join(finding.fields))
    if finding.detail:
        parts.append(finding.detail)
    return ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else where


def _command(findings: list[Finding], config: str) -> str:
    """Command line that shows what the input leads to there."""
    first = findings[0]
    same = [finding for finding in findings if finding.stream == first.stream]
    start, stop = min(finding.offset for finding in same), max(finding.offset for finding in same) + 1
    return (
        f"look at it: detector replay -c {quote(config)} --stream {quote(first.stream)} --as-lived "
        f"--from-offset {max(0, start)} --to-offset {max(1, stop)} --json"
    )


def _unknown(report: AuditReport) -> Iterator[str]:
    for part in report.partitions:
        name = f"{part.partition.topic}/{part.partition.partition}"
        for hole in part.holes:
            yield f"undetermined: {name} offsets {hole.first} to {hole.stop}: {hole.reason}"
        if part.undetermined_count:
            shown = ", ".join(repr(series) for series in part.undetermined_series[:_SHOWN])
            more = "" if part.undetermined_count <= _SHOWN else f" and {part.undetermined_count - _SHOWN} more"
            yield (
                f"undetermined: {name}: {_count(part.undetermined_count, 'series')}, since their state before the "
                f"first record is not known: {shown}{more}"
            )


def _count(number: int, what: str) -> str:
    what = "state record" if what == "state" else what
    return f"{number:,} {what if number == 1 or what.endswith('s') else f'{what}s'}"
