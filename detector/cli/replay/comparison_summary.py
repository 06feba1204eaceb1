"""How a challenger would have done beside the model that was replayed, for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from detector.alerting.summaries import IncidentSummary
from detector.alerting.timestamps import format_time
from detector.cli.replay.summary import span_text
from detector.comparison.models import Pair, ShadowReplay
from detector.printable import printable
from detector.shadow import VERDICTS

_SHOWN = 20


def comparison_document(shadow: ShadowReplay) -> dict[str, Any]:
    """The comparison as plain values; the fields are documented in ``docs/registry.md``."""
    matched = shadow.matched()
    leads = [pair.lead_seconds for pair in matched.pairs]
    correlation = shadow.correlation.value
    models = {context.name: context for context in shadow.contexts.values()}
    return {
        "challengers": [
            {
                "stream": name,
                "model": context.identity.model,
                "version": context.identity.model_version,
                "threshold": context.policy.threshold,
            }
            for name, context in models.items()
        ],
        "windows": {
            **{verdict: shadow.tally.verdicts.get(verdict, 0) for verdict in VERDICTS},
            "unscored": shadow.tally.unscored,
            "unmatched": shadow.unmatched,
        },
        "correlation": None if correlation is None else round(correlation, 4),
        "incidents": {
            "both": len(matched.pairs),
            "champion_only": len(matched.champion_only),
            "challenger_only": len(matched.challenger_only),
            "champion": len(matched.pairs) + len(matched.champion_only),
            "challenger": shadow.challenger_incidents(),
        },
        "lead_seconds": {
            "median": matched.median_lead_seconds,
            "challenger_earlier": sum(lead > 0 for lead in leads),
            "champion_earlier": sum(lead < 0 for lead in leads),
        },
        "both": [_pair(pair) for pair in matched.pairs],
        "champion_only": [_incident(incident) for incident in matched.champion_only],
        "challenger_only": [_incident(incident) for incident in matched.challenger_only],
    }


def _incident(incident: IncidentSummary) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "stream": incident.stream,
        "partition": incident.partition,
        "series": incident.series,
        "kind": incident.kind,
        "started_at": format_time(incident.started_ns),
        "opened_at": format_time(incident.opened_ns),
        "ended_at": None if incident.ended_ns is None else format_time(incident.ended_ns),
        "severity": incident.severity,
        "peak_score_over_threshold": incident.peak_ratio,
        "channels": [[detail.channel, detail.share] for detail in incident.channels],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "lead_seconds": pair.lead_seconds,
        "champion": _incident(pair.champion),
        "challenger": _incident(pair.challenger),
    }


def print_comparison(document: Mapping[str, Any], stream: TextIO) -> None:
    """The comparison for people, on ``stream``."""
    from rich.markup import escape

    from detector.cli.common.tables import incident_table, result_console

    console = result_console(stream)
    windows, incidents, lead = document["windows"], document["incidents"], document["lead_seconds"]
    names = ", ".join(escape(printable(model["version"])) for model in document["challengers"])
    console.print(f"\n[bold]In the shadow: {names}[/]")
    compared = sum(windows[verdict] for verdict in VERDICTS)
    agree = windows["neither"] + windows["both"]
    share = f", {agree / compared:.2%} agree" if compared else ""
    console.print(
        f"{compared:,} windows with two scores{share}: {windows['both']:,} above both thresholds, "
        f"{windows['champion_only']:,} above the model's only, {windows['challenger_only']:,} above the challenger's "
        "only"
    )
    if windows["unmatched"] or windows["unscored"]:
        console.print(f"{windows['unmatched'] + windows['unscored']:,} windows that one of the two has no score for")
    if document["correlation"] is not None:
        console.print(f"correlation of the scores (logarithms): {document['correlation']:.3f}")
    console.print(
        f"incidents: {incidents['both']} of {incidents['champion']} the challenger has too, "
        f"{incidents['champion_only']} only the model, {incidents['challenger_only']} only the challenger"
    )
    if lead["median"] is not None:
        console.print(
            f"of those that both have, the challenger opened {lead['challenger_earlier']} earlier and "
            f"{lead['champion_earlier']} later; at the median {span_text(abs(lead['median']))} "
            f"{'earlier' if lead['median'] >= 0 else 'later'}"
        )
    alone = [("model", incident) for incident in document["champion_only"]]
    alone += [("challenger", incident) for incident in document["challenger_only"]]
    if not alone:
        return
    alone.sort(key=lambda found: str(found[1]["started_at"]))
    shown = [incident for _, incident in alone[:_SHOWN]]
    columns = {
        "only": [who for who, _ in alone[:_SHOWN]],
        "started": [incident["started_at"][:16].replace("T", " ") for incident in shown],
        # Names come from the records: control characters in them must not steer the terminal.
        "series": [printable(incident["series"]) for incident in shown],
        "severity": [incident["severity"] for incident in shown],
        "score": [f"{incident['peak_score_over_threshold']:.1f} x" for incident in shown],
    }
    console.print(incident_table(shown, columns, console.width, ids=False))
    if len(alone) > _SHOWN:
        console.print(f"… and {len(alone) - _SHOWN} more; --json tells them all")
