"""Where two models, or two thresholds, differ over the same history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from detector.alerting.summaries import IncidentSummary
from detector.comparison.models import Pair as Met
from detector.pages.blocks import (
    Block,
    Cell,
    Empty,
    Entry,
    Facts,
    Finder,
    Fold,
    Note,
    Picture,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    Tone,
    Value,
)
from detector.pictures import as_item, compared
from detector.pictures.words import duration, number
from detector.reports.replay.findings import Findings, Second
from detector.reports.replay.incident import ORDERS, Room, blamed, facts, keys, lasted, moment, rank, strength

MOST_LISTED = 200
MOST_PICTURES = 60
MOST_PICTURE_BYTES = 16 << 20


def difference_section(second: Second, found: Findings) -> Section:
    """What only one of two would have reported, and how the incidents that both have compare."""
    matched = second.matched
    first_name, second_name = second.names
    own = second.own
    tiles = Tiles(
        [
            Tile("In both", f"{len(matched.pairs):,}", f"of {len(own):,}", "good" if matched.pairs else "plain"),
            Tile(f"Only {first_name}", f"{len(matched.champion_only):,}", "the other would not open"),
            Tile(f"Only {second_name}", f"{len(matched.challenger_only):,}", "this replay does not have"),
            *(Tile(*fact) for fact in second.facts),
        ]
    )
    blocks: list[Block] = [tiles]
    blocks.append(
        Picture(
            as_item(compared(own, second.incidents, second.names, found.since_ns, found.until_ns)),
            f"Above: {first_name}. Below: {second_name}.",
            height="l",
        )
    )
    alone = [(first_name, one) for one in matched.champion_only]
    alone += [(second_name, one) for one in matched.challenger_only]
    if alone:
        blocks += _alone(alone, second)
    else:
        blocks.append(Empty("They report the same incidents", "Neither has one that the other lacks."))
    blocks += _met(matched.pairs, second.names)
    title = "Where two models differ" if second.kind == "models" else "Where two thresholds differ"
    return Section(
        "differences",
        title,
        blocks,
        f"{first_name} was replayed, {second_name} beside it. Incidents are the same where they overlap in time.",
        short="Differences",
    )


def _alone(alone: Sequence[tuple[str, IncidentSummary]], second: Second) -> list[Block]:
    order = sorted(alone, key=lambda item: rank(item[1]), reverse=True)
    room = Room(MOST_PICTURES, MOST_PICTURE_BYTES)
    entries = [_entry(who, incident, second, room) for who, incident in order[:MOST_LISTED]]
    blocks: list[Block] = []
    if len(order) > MOST_LISTED:
        blocks.append(Note(f"{len(order) - MOST_LISTED:,} more are not listed", "", "--json tells them all."))
    choices: list[tuple[str, Tone]] = [(name, "plain") for name in dict.fromkeys(who for who, _ in alone)]
    blocks.append(
        Finder(
            "alone",
            entries,
            choices,
            ORDERS,
            "series, channel or id",
            "incident that only one has",
            "incidents that only one has",
        )
    )
    return blocks


def _entry(who: str, incident: IncidentSummary, second: Second, room: Room) -> Entry:
    blocks: list[Block] = []
    for view in second.views(incident.incident_id):
        picture = room.picture(view.event, view.stretch, f"As {view.title} has it; model {view.stretch.model}.")
        if picture is not None:
            blocks += [Text(f"{view.title}:"), picture]
    if not blocks:
        blocks.append(Note("No picture here", "Pictures are of the incidents that matter most."))
    blocks.append(Facts(facts(incident)))
    fold = Fold(
        f"alone-{incident.incident_id}",
        incident.series,
        blocks,
        Cell(incident.severity, tone=cast(Tone, incident.severity)),
        [
            moment(incident.started_ns, seconds=False),
            lasted(incident),
            strength(incident),
            f"only {who}: {blamed(incident)}",
        ],
    )
    return Entry(fold, f"{incident.kind} {incident.incident_id}", who, keys(incident))


def _met(pairs: Sequence[Met], names: tuple[str, str]) -> list[Block]:
    if not pairs:
        return []
    order = sorted(pairs, key=lambda pair: rank(pair.champion), reverse=True)
    rows: list[list[Value]] = [
        [
            Cell(pair.champion.series, href=f"#incident-{pair.champion.incident_id}"),
            moment(pair.champion.started_ns, seconds=False),
            Cell(pair.champion.severity, tone=pair.champion.severity),
            Cell(pair.challenger.severity, tone=pair.challenger.severity),
            Cell(number(pair.champion.peak_ratio, 3), number=True),
            Cell(number(pair.challenger.peak_ratio, 3), number=True),
            Cell(_lead(pair.lead_seconds), number=True),
        ]
        for pair in order[:MOST_LISTED]
    ]
    more = f" The {MOST_LISTED} gravest of {len(order):,}." if len(order) > MOST_LISTED else ""
    caption = f"Incidents of both: {names[0]}, then {names[1]}; peaks are multiples of their own thresholds.{more}"
    head = ["Series", "Started", "First", "Second", "Peak", "Peak", "Second opened"]
    return [Table(head, rows, caption)]


def _lead(seconds: float) -> str:
    if not seconds:
        return "at once"
    return f"{duration(abs(seconds))} {'earlier' if seconds > 0 else 'later'}"
