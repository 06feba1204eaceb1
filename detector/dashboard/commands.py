"""Commands to copy: what else this program can do about an incident, with all that they need filled in."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from detector.dashboard.board import Incident


@dataclass(frozen=True, slots=True)
class ReadyCommand:
    """A command line of a shell.

    Attributes:
        purpose: What it is for.
        line: Ready to paste; what comes from topics is quoted.
    """

    purpose: str
    line: str


def ready_commands(incident: Incident, config: str) -> list[ReadyCommand]:
    """What may help with an incident.

    Args:
        incident: Which.
        config: Path of the configuration, as it was given to this program.
    """
    about, source = incident.summary, incident.latest.event.source
    name = about.incident_id[:12]
    stretch = (
        *("replay", "-c", config, "--stream", about.stream),
        *("--from-offset", str(about.first_offset), "--to-offset", str(about.last_offset + 1)),
    )
    found = [
        ReadyCommand(
            f"Replay just this stretch: offsets {about.first_offset} to {about.last_offset} of {source.topic}",
            _line(*stretch),
        ),
        ReadyCommand("Replay it with the model and settings of that time", _line(*stretch, "--as-lived")),
    ]
    if about.kind == "reconstruction":
        found.append(
            ReadyCommand(
                "Open up the model at the peak (extras keras and plot)",
                _line("inspect", "-c", config, "--event", name, "--out", f"incident-{name}.html"),
            )
        )
    found.append(
        ReadyCommand(
            "Say that it was a false alarm, from a shell",
            _line("feedback", "mark", name, "-c", config, "--verdict", "false-alarm"),
        )
    )
    return found


def _line(*words: str) -> str:
    return shlex.join(("detector", *words))
