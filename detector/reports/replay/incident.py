"""One incident in a report: a line that says what it was, and a picture with what is known of it below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from detector.alerting.events import Event
from detector.alerting.policy import SEVERITIES
from detector.alerting.summaries import IncidentSummary
from detector.pages.blocks import Block, Cell, Code, Entry, Facts, Fold, Note, Pair, Picture, Table, Value
from detector.pages.packing import pack
from detector.pictures import incident_item
from detector.pictures.words import duration, number
from detector.stretches.stretch import Stretch

ORDERS = ("gravest first", "latest first", "earliest first", "longest first")
_NS = 1e-9


class Room:
    """What a page has room for.

    Args:
        pictures: At most so many.
        bytes_: At most about so many bytes for all of them.
    """

    def __init__(self, pictures: int, bytes_: int) -> None:
        self._pictures, self._bytes = pictures, bytes_

    def picture(self, event: Event, stretch: Stretch, caption: str) -> Picture | None:
        """A picture of an incident; None where there is no room left."""
        if self._pictures <= 0 or self._bytes <= 0:
            return None
        item = pack(incident_item(event, stretch))
        self._pictures -= 1
        self._bytes -= len(item)
        return Picture(item, caption, height="xl" if event.kind == "reconstruction" else "l")


def rank(incident: IncidentSummary) -> tuple[int, float]:
    """How much an incident matters beside others; ratios of other kinds are of other units, but severities are not."""
    return SEVERITIES.index(incident.severity), incident.peak_ratio


def moment(time_ns: int, *, seconds: bool = True) -> str:
    """An event time for people, UTC."""
    found = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return found.strftime("%d %b %Y %H:%M:%S" if seconds else "%d %b %Y %H:%M")


def named(incident: IncidentSummary, streams: int) -> str:
    """The series, with its stream where there are several."""
    return f"{incident.stream} / {incident.series}" if streams > 1 else incident.series


def lasted(incident: IncidentSummary) -> str:
    """How long it went on."""
    return f"{duration(incident.duration_seconds)}{', still open' if incident.is_open else ''}"


def strength(incident: IncidentSummary) -> str:
    """How far beyond the threshold it went, or what else it was."""
    if incident.kind == "silence":
        return f"silent, {number(incident.peak_ratio, 3)} times the limit"
    if incident.kind == "frozen":
        return f"frozen, {number(incident.peak_ratio, 3)} times the limit"
    return f"{number(incident.peak_ratio, 3)} times the threshold"


def blamed(incident: IncidentSummary) -> str:
    """The channels that it is about."""
    if incident.kind == "reconstruction":
        return incident.blames()
    return ", ".join(channel.channel for channel in incident.channels[:3])


def incident_entry(
    incident: IncidentSummary,
    event: Event,
    stretch: Stretch | None,
    room: Room,
    *,
    streams: int,
    undetermined: bool,
    commands: Sequence[str],
) -> Entry:
    """An incident among others.

    Args:
        incident: It.
        event: Its latest.
        stretch: Samples around it, if they were kept.
        room: For pictures.
        streams: How many there are.
        undetermined: Whether what was before the first record could have made another one of it.
        commands: That look further into it.
    """
    blocks: list[Block] = []
    if undetermined:
        blocks.append(
            Note(
                "Undetermined",
                "What was under way before the first record that was read is not known, and could have made another "
                "incident of it, or none.",
                "Replay from further back, with --look-back or an earlier --since.",
                tone="warning",
            )
        )
    picture = None if stretch is None else room.picture(event, stretch, _caption(stretch))
    if picture is not None:
        blocks.append(picture)
    else:
        blocks.append(
            Note(
                "No picture here",
                "Pictures are of the incidents that matter most." if stretch is not None or len(event.channels) else
                "No sample of the series around it was read.",
                "Replay just this stretch, as below, for one.",
            )
        )  # fmt: skip
    blocks.append(Pair([Facts(facts(incident, event)), *_channels(event)]))
    blocks += [Code(command) for command in commands]
    fold = Fold(
        f"incident-{incident.incident_id}",
        named(incident, streams),
        blocks,
        Cell(incident.severity, tone=incident.severity),
        [
            moment(incident.started_ns, seconds=False), lasted(incident), strength(incident),
            blamed(incident) + (", undetermined" if undetermined else ""),
        ],
    )  # fmt: skip
    text = [incident.kind, incident.stream, incident.incident_id, *(one.channel for one in event.channels)]
    return Entry(fold, " ".join(text), incident.severity, keys(incident))


def keys(incident: IncidentSummary) -> list[float]:
    """What it is sorted by, for each of `ORDERS`."""
    severity, ratio = rank(incident)
    started = incident.started_ns * _NS
    return [severity * 1e12 + min(ratio, 1e11), started, -started, incident.duration_seconds]


def facts(incident: IncidentSummary, event: Event | None = None) -> list[tuple[str, str | Cell]]:
    """What is known of an incident, by name; with an event also where it comes from."""
    found: list[tuple[str, str | Cell]] = [
        ("Started", moment(incident.started_ns)),
        ("Opened", moment(incident.opened_ns)),
        ("Peak", moment(incident.peak_ns)),
        ("Ended", "not yet" if incident.ended_ns is None else moment(incident.ended_ns)),
        ("Lasted", lasted(incident)),
    ]
    if incident.kind == "reconstruction":
        allowed = incident.peak_score / incident.peak_ratio if incident.peak_ratio else None
        found.append(("Score at the peak", f"{number(incident.peak_score)}, threshold {number(allowed)}"))
    else:
        found.append(("Kind", strength(incident)))
    if incident.close_reason is not None:
        found.append(("Closed by", incident.close_reason))
    if event is not None:
        where = f"{event.source.topic}/{incident.partition}, {incident.first_offset} to {incident.last_offset}"
        found += [("Model", Cell(event.model.version, mono=True)), ("Records", Cell(where, mono=True))]
    return [*found, ("Incident", Cell(incident.incident_id, mono=True))]


def _channels(event: Event) -> list[Block]:
    if not event.channels:
        return []
    if event.kind == "frozen":
        rests: list[list[Value]] = [
            [one.channel, Cell(number(one.seen), number=True), Cell(f"{one.contribution:,.0f}", number=True)]
            for one in event.channels
        ]
        return [Table(["Channel", "Keeps", "Samples"], rests, "Channels that rest")]
    rows: list[list[Value]] = [
        [
            one.channel,
            Cell(f"{one.share:.0%}", share=min(1.0, max(0.0, one.share))),
            Cell(number(one.seen), number=True),
            Cell(number(one.expected), number=True),
        ]
        for one in event.channels
    ]
    return [Table(["Channel", "Share", "Seen", "Expected"], rows, "At the peak")]


def _caption(stretch: Stretch) -> str:
    found = f"Model {stretch.model}; replayed from {stretch.begun.removeprefix('from ')}."
    if stretch.left_out:
        found += f" {stretch.left_out:,} samples of this long incident are left out; peaks and edges are all there."
    return found
