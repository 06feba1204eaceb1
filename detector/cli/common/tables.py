"""Tables of results that fit where they are shown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Where nobody looks at a window, such as in a pipe or a file, lines are as long as they have to be.
_WITHOUT_WINDOW = 400
_GAP = 2
_MOST_CHANNELS = 3
_LEAST_ROOM = 10
_ID_DIGITS = 8


def result_console(stream: TextIO) -> Console:
    """A console for results: as wide as the terminal, or as `COLUMNS` says, or without limit in a pipe or a file."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, soft_wrap=True)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console = Console(file=stream, highlight=False, soft_wrap=True, width=_WITHOUT_WINDOW)
    return console


def compact_table() -> Table:
    """A table without lines, with two spaces between its columns."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, _GAP // 2))


def incident_table(
    incidents: Sequence[Mapping[str, Any]], columns: Mapping[str, Sequence[str]], width: int, *, ids: bool = True
) -> Table:
    """A table with one line for each incident, in whatever width there is.

    As many of the channels that an incident blames are named as have room. The ids go first where there is none.

    Args:
        incidents: With ``incident_id``, ``kind``, ``severity`` and ``channels``, as in the summary of a replay.
        columns: By heading, one text for each incident, in the order in which they are shown.
        width: Cells in a line.
        ids: Whether to show how the ids begin, as far as there is room.
    """
    from rich.cells import cell_len
    from rich.text import Text

    shown = {name: list(texts) for name, texts in columns.items()}
    blamed = [_blamed(incident) for incident in incidents]
    wanted = min(24, max((cell_len(parts[0]) for parts in blamed if parts), default=0))
    if ids:
        with_ids = {"id": [incident["incident_id"][:_ID_DIGITS] for incident in incidents], **shown}
        if width - _taken(with_ids) >= wanted:
            shown = with_ids
    room = max(_LEAST_ROOM, width - _taken(shown))
    table = compact_table()
    for name in shown:
        table.add_column(name, no_wrap=name != "series", overflow="fold")
    table.add_column("channels", no_wrap=True, overflow="ellipsis", max_width=room)
    for number, incident in enumerate(incidents):
        style = {"critical": "red", "warning": "yellow"}.get(incident["severity"], "blue")
        cells = [
            Text(texts[number], style=style if name == "severity" else "", end="") for name, texts in shown.items()
        ]
        table.add_row(*cells, Text(_fitting(blamed[number], room), end=""))
    return table


def _blamed(incident: Mapping[str, Any]) -> list[str]:
    # Names come from the records: control characters in them must not steer the terminal.
    from detector.printable import printable

    kind = incident["kind"]
    found = [
        printable(f"{channel} {share:.0%}" if kind == "reconstruction" else channel)
        for channel, share in incident["channels"][:_MOST_CHANNELS]
    ]
    if kind != "reconstruction":
        found = [" ".join([kind, *found[:1]]), *found[1:]]
    return found


def _taken(columns: Mapping[str, Sequence[str]]) -> int:
    """Cells that columns and the gap behind each need."""
    from rich.cells import cell_len

    return sum(max(map(cell_len, (name, *texts))) + _GAP for name, texts in columns.items())


def _fitting(parts: Sequence[str], room: int) -> str:
    """The first of the parts, and as many more as fit as a whole."""
    from rich.cells import cell_len

    text = ", ".join(parts[:1])
    for part in parts[1:]:
        if cell_len(longer := f"{text}, {part}") > room:
            break
        text = longer
    return text
