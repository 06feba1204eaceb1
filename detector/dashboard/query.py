"""Which incidents somebody wants to see, and in which order, from the query of an address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, get_args

from detector.alerting import policy
from detector.alerting.events import Kind
from detector.alerting.summaries import IncidentSummary
from detector.dashboard.board import Incident
from detector.errors import ConfigError
from detector.moments import parse_moment

SEVERITIES: Final = tuple(reversed(policy.SEVERITIES))
"""The gravest first."""
KINDS: Final[tuple[str, ...]] = get_args(Kind)
STATUSES: Final = ("open", "closed")
VERDICTS: Final = ("none", "acknowledged", "false_alarm", "confirmed")
SORTS: Final = ("open", "newest", "oldest", "severity", "score", "duration", "series")
"""``open``: those that are open first, each group from the newest on."""
MOST_ROWS: Final = 500

Rank = tuple[float | str, ...]
_KNOWN: Final = frozenset(
    ["stream", "series", "severity", "kind", "status", "verdict", "since", "until", "sort", "offset", "limit"]
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for; an empty set does not narrow anything down.

    Attributes:
        streams: Names.
        series: A part of the name of the series, in any case.
        severities: Of `SEVERITIES`.
        kinds: Of `KINDS`.
        statuses: Of `STATUSES`.
        verdicts: Of `VERDICTS`; acknowledged: somebody looks after it, and nobody has judged it.
        since_ns: Incidents that ended before this event time are left out.
        until_ns: Incidents that started at this event time or later are left out.
        sort: Of `SORTS`.
        offset: Rows to pass over.
        limit: Most rows.
    """

    streams: frozenset[str] = frozenset()
    series: str = ""
    severities: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    verdicts: frozenset[str] = frozenset()
    since_ns: int | None = None
    until_ns: int | None = None
    sort: str = "open"
    offset: int = 0
    limit: int = 100

    @classmethod
    def parse(cls, arguments: Mapping[str, Sequence[str]], now_ns: int) -> Query:
        """Read the query of an address; values of one name may be repeated, or separated by commas.

        Args:
            arguments: By name.
            now_ns: Present wall time, which durations such as ``24h`` are taken back from.

        Raises:
            ConfigError: a name or a value is not known; the message says which there are.
        """
        unknown = sorted(set(arguments) - _KNOWN)
        if unknown:
            raise ConfigError(f"there is no filter {unknown[0]!r}; there are {', '.join(sorted(_KNOWN))}")
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        moments = {
            name: None if not _one(arguments, name) else parse_moment(_one(arguments, name), name, now)
            for name in ("since", "until")
        }
        (sort,) = _chosen(arguments, "sort", SORTS) or {"open"}
        return cls(
            streams=frozenset(value for value in arguments.get("stream", ()) if value),
            series=_one(arguments, "series"),
            severities=_chosen(arguments, "severity", SEVERITIES),
            kinds=_chosen(arguments, "kind", KINDS),
            statuses=_chosen(arguments, "status", STATUSES),
            verdicts=_chosen(arguments, "verdict", VERDICTS),
            since_ns=moments["since"],
            until_ns=moments["until"],
            sort=sort,
            offset=_number(arguments, "offset", 0, 10**9),
            limit=_number(arguments, "limit", 100, MOST_ROWS),
        )

    def matches(self, incident: Incident) -> bool:
        """Whether an incident is asked for."""
        about = incident.summary
        return (
            (not self.streams or about.stream in self.streams)
            and (not self.series or self.series.casefold() in about.series.casefold())
            and (not self.severities or about.severity in self.severities)
            and (not self.kinds or about.kind in self.kinds)
            and (not self.statuses or ("open" if about.is_open else "closed") in self.statuses)
            and (not self.verdicts or verdict_of(incident) in self.verdicts)
            and (self.since_ns is None or about.is_open or about.last_ns >= self.since_ns)
            and (self.until_ns is None or about.started_ns < self.until_ns)
        )

    def rank(self, incident: Incident) -> Rank:
        """Its place among others: the lesser comes first. Numbers and text stand at the same places for all."""
        return _RANKS[self.sort](incident.summary)

    def select(self, incidents: Iterable[Incident]) -> list[Incident]:
        """All that are asked for, whatever offset and limit say; in order, unless only their number is wanted."""
        found = filter(self.matches, incidents)
        # Each page that is open asks for the number after every change.
        return sorted(found, key=self.rank) if self.limit else list(found)


def _newest(about: IncidentSummary) -> Rank:
    return -about.started_ns / 1e6, about.incident_id


def _over(about: IncidentSummary) -> int:
    return 0 if about.is_open else 1


_RANKS: Final[Mapping[str, Callable[[IncidentSummary], Rank]]] = {
    "open": lambda about: (_over(about), *_newest(about)),
    "newest": _newest,
    "oldest": lambda about: (about.started_ns / 1e6, about.incident_id),
    "severity": lambda about: (SEVERITIES.index(about.severity), _over(about), *_newest(about)),
    "score": lambda about: (-about.peak_ratio, *_newest(about)),
    "duration": lambda about: (-about.duration_seconds, *_newest(about)),
    "series": lambda about: (about.stream, about.series, *_newest(about)),
}


def verdict_of(incident: Incident) -> str:
    """What stands of an incident, one of `VERDICTS`."""
    if incident.verdict is not None:
        return incident.verdict.verdict
    return "none" if incident.acknowledged is None else "acknowledged"


def _one(arguments: Mapping[str, Sequence[str]], name: str) -> str:
    values = arguments.get(name, ())
    return values[-1].strip() if values else ""


def _chosen(arguments: Mapping[str, Sequence[str]], name: str, known: Sequence[str]) -> frozenset[str]:
    found = {part.strip() for value in arguments.get(name, ()) for part in value.split(",") if part.strip()}
    wrong = sorted(found - set(known))
    if wrong:
        raise ConfigError(f"{name}: there is no {wrong[0]!r}; choose of {', '.join(known)}")
    return frozenset(found)


def _number(arguments: Mapping[str, Sequence[str]], name: str, default: int, most: int) -> int:
    text = _one(arguments, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise ConfigError(f"{name}: {text[:40]!r} is not a whole number from 0 to {most}")
    return int(text)
