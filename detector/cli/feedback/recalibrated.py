"""What recalibrating leads to: limits that let false alarms pass, the record in the bundle, and the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from detector.alerting.events import Event
from detector.cli.common.policies import GAPS_OF_SILENCE, freeze_limits, silence_policy
from detector.cli.models.registry import print_table
from detector.feedback.recalibration import Recalibration
from detector.feedback.standing import Found, find_again, refuse_losses
from detector.feedback.verdicts import Verdict
from detector.settings import StreamSettings
from models.bundle import Bundle
from models.calibration import Calibration
from models.habits import Habits

_SHOWN = 50
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Rest:
    """What becomes of verdicts on silence and frozen channels.

    Attributes:
        habits: For the new bundle.
        found: The verdicts and what the history has of them.
        opens: Whether each would still open.
    """

    habits: Habits
    found: Sequence[Found]
    opens: Sequence[bool]


def let_pass(verdicts: Sequence[Verdict], events: Sequence[Event], present: Bundle, stream: StreamSettings) -> Rest:
    """Habits by which false alarms of kind ``silence`` and ``frozen`` would not have opened.

    Args:
        verdicts: Of these kinds.
        events: That the history leads to.
        present: The bundle in force.
        stream: Its settings.

    Raises:
        ContradictionError: a confirmed incident would be lost.
    """
    found = find_again(verdicts, events)
    alarms = [one for one in found if one.verdict.verdict == "false_alarm" and one.lasted is not None]
    gap = max((one.lasted or 0.0 for one in alarms if one.verdict.kind == "silence"), default=0.0) / GAPS_OF_SILENCE
    runs: dict[str, dict[int, int]] = {}
    for one in alarms:
        for name, samples in one.channels.items():
            channels = runs.setdefault(one.verdict.series, {})
            channel, run = present.spec.channels.index(name), math.ceil(samples / stream.frozen.margin)
            channels[channel] = max(run, channels.get(channel, 0))
    habits = present.habits.loosened(gap, runs) if alarms else present.habits

    def opens(one: Found) -> bool:
        return one.lasted is not None and _opens(one, replace(present, habits=habits), stream)

    refuse_losses(found, opens)
    return Rest(habits, found, [opens(one) for one in found])


def _opens(one: Found, bundle: Bundle, stream: StreamSettings) -> bool:
    if one.verdict.kind == "silence":
        policy = silence_policy(bundle, stream.silence, stream.window, stream.incidents)
        return policy is not None and (one.lasted or 0.0) * _NS > policy.after_ns
    limits = freeze_limits(bundle, stream.frozen)
    if limits is None:
        return False
    allowed = limits.series(one.verdict.series)
    return any(samples > allowed[bundle.spec.channels.index(name)] for name, samples in one.channels.items())


def recalibrated(present: Bundle, threshold: Recalibration, rest: Rest, series: int) -> Calibration:
    """The present calibration with the new threshold, and the record of what was said and what it did."""
    days = threshold.series_weeks * 7
    moved, before = threshold.after != threshold.before, present.calibration
    return replace(
        before,
        method="feedback" if moved else before.method,
        threshold=threshold.after,
        held_out_incidents=None if moved else before.held_out_incidents,
        expected_alerts_per_day=threshold.unmarked_after / days if moved and days else before.expected_alerts_per_day,
        feedback={
            "from_model": present.digest,
            "from_threshold": threshold.before,
            "before_that": before.feedback,
            "history": {
                "series": series,
                "series_days": days,
                "incidents_before": threshold.incidents_before,
                "incidents_after": threshold.incidents_after,
            },
            "verdicts": rows_of(threshold, rest),
        },
    )


def rows_of(threshold: Recalibration, rest: Rest) -> list[dict[str, object]]:
    """One row for each verdict: what it says, and what becomes of it."""
    rows = [(effect.verdict, effect.level, effect.before, effect.after, effect.word) for effect in threshold.effects]
    for one, opens in zip(rest.found, rest.opens, strict=True):
        there = one.lasted is not None
        passes = one.verdict.verdict == "false_alarm" and not opens
        word = "not in the history" if not there else "mended" if passes else "as before" if opens else "not mended"
        if there and opens and one.verdict.verdict == "false_alarm":
            word = "not mended"  # the settings say how long is too long, not the bundle
        rows.append((one.verdict, one.lasted, there, opens, word))
    return [
        {
            "subject_id": verdict.subject_id,
            "verdict": verdict.verdict,
            "kind": verdict.kind,
            "series": verdict.series,
            "started_at": verdict.started_at,
            "ended_at": verdict.ended_at,
            "author": verdict.author,
            "note": verdict.note,
            "level": level,
            "before": before,
            "after": after,
            "outcome": word,
        }
        for verdict, level, before, after, word in rows
    ]


def as_document(
    threshold: Recalibration, rest: Rest, present: Bundle, series: int, out: Path | None, digest: str | None
) -> dict[str, Any]:
    """The result as plain values."""
    return {
        "threshold_before": threshold.before,
        "threshold_after": threshold.after,
        "gap_seconds_before": present.habits.gap_seconds,
        "gap_seconds_after": rest.habits.gap_seconds,
        "runs_before": _sum(present.habits),
        "runs_after": _sum(rest.habits),
        "changes": threshold.after != threshold.before or rest.habits != present.habits,
        "series": series,
        "series_weeks": threshold.series_weeks,
        "incidents_before": threshold.incidents_before,
        "incidents_after": threshold.incidents_after,
        "unmarked_after": threshold.unmarked_after,
        "allowed": threshold.allowed,
        "bundle": None if out is None else str(out),
        "digest": digest,
        "verdicts": rows_of(threshold, rest),
    }


def _sum(habits: Habits) -> int:
    return sum(run or 0 for runs in habits.longest_runs for run in runs)


def print_document(document: Mapping[str, Any]) -> None:
    """The document for people, on stdout."""
    print_table(
        ("SUBJECT", "SERIES", "STARTED", "VERDICT", "LEVEL", "BEFORE", "AFTER", "OUTCOME"),
        [
            (
                effect["subject_id"][:12], effect["series"], effect["started_at"][:19].replace("T", " "),
                effect["verdict"].replace("_", " "), "-" if effect["level"] is None else f"{effect['level']:.4g}",
                _alert(effect, "before"), _alert(effect, "after"), effect["outcome"],
            )
            for effect in document["verdicts"][:_SHOWN]
        ],
    )  # fmt: skip
    if len(document["verdicts"]) > _SHOWN:
        typer.echo(f"… and {len(document['verdicts']) - _SHOWN} more; --json tells them all")
    weeks = document["series_weeks"]
    rates = [f"{document[f'incidents_{when}'] / weeks:.3g}" if weeks else "-" for when in ("before", "after")]
    typer.echo(
        f"\nthreshold {document['threshold_before']:.4g} -> {document['threshold_after']:.4g}; incidents in "
        f"the history {document['incidents_before']} -> {document['incidents_after']} "
        f"({rates[0]} -> {rates[1]} a week and series)"
    )
    if any(effect["outcome"] == "not mended" and effect["verdict"] != "false_alarm" for effect in document["verdicts"]):
        typer.echo(
            f"what is not mended needs a threshold that opens more than {document['allowed']:.3g} other incidents in "
            "this history; raise --alerts-per-week, or train a model that tells them apart"
        )
    for before, after, what in (
        (document["gap_seconds_before"], document["gap_seconds_after"], "longest usual gap, in seconds"),
        (document["runs_before"], document["runs_after"], "longest runs of equal samples, summed"),
    ):
        if before != after:
            typer.echo(f"{what}: {before} -> {after}")
    if not document["changes"]:
        typer.echo("nothing to change: no bundle is written")
    elif document["bundle"] is None:
        typer.echo("no bundle is written; give --out")
    else:
        typer.echo(f"bundle {document['bundle']} ({document['digest'][:12]})")


def _alert(effect: Mapping[str, Any], when: str) -> str:
    return "-" if effect["level"] is None else "alert" if effect[when] else "quiet"
