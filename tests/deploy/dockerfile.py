"""deploy/docker/Dockerfile as the tests see it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """A stage of the Dockerfile, with what it takes over from those that it builds on."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    health: Sequence[str] | None = None
    stop_signal: str = "SIGTERM"
    user: str = "root"
    environment: Mapping[str, str] = field(default_factory=dict)
    exposed: Sequence[int] = ()


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions of a Dockerfile with their arguments, continued lines joined, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name."""
    found: dict[str, Stage] = {}
    name, stage = "", Stage()
    for word, rest in instructions(DOCKERFILE.read_text(encoding="utf-8")):
        match word:
            case "FROM":
                base, _, name = rest.partition(" AS ")
                stage = found.get(base, Stage())
            case "ENTRYPOINT":
                stage = replace(stage, entrypoint=yaml.safe_load(rest))
            case "CMD":
                stage = replace(stage, command=yaml.safe_load(rest))
            case "HEALTHCHECK":
                check = rest.partition("CMD ")[2]
                stage = replace(stage, health=yaml.safe_load(check) if check else None)
            case "STOPSIGNAL":
                stage = replace(stage, stop_signal=rest)
            case "USER":
                stage = replace(stage, user=rest)
            case "ENV":
                values = dict(pair.split("=", 1) for pair in shlex.split(rest))
                stage = replace(stage, environment={**stage.environment, **values})
            case "EXPOSE":
                stage = replace(stage, exposed=[*stage.exposed, *map(int, rest.split())])
        if name:
            found[name] = stage
    return found
