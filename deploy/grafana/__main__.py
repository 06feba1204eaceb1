"""Writes the dashboards as Grafana reads them, and what documents them, or says which files are not as generated.

``python -m deploy.grafana`` writes them, ``python -m deploy.grafana --check`` compares: it ends with 1 and a line for
each file that differs, is missing, or has no dashboard.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.document import DOCUMENT, with_panels

PROVISIONED: Final = Path(__file__).parent / "provisioned"


def generated() -> dict[str, str]:
    """The text of each file, by its name."""
    encoder = JSONEncoder(indent=2, sort_keys=True)
    return {name: encoder.encode(build()) + "\n" for name, build in DASHBOARDS.items()}


def differences(expected: Mapping[str, str], folder: Path) -> list[str]:
    """What a folder has that is not as expected, a sentence each."""
    found = {path.name for path in folder.glob("*.json")}
    told = [f"{folder / name}: no dashboard of this name is generated" for name in sorted(found - expected.keys())]
    for name, text in expected.items():
        if name not in found:
            told.append(f"{folder / name}: missing")
        elif (folder / name).read_text(encoding="utf-8") != text:
            told.append(f"{folder / name}: not what the code generates")
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check.

    Args:
        arguments: Those of the command line, without the program's name.

    Returns:
        The exit status: 1 where a check found a difference, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    parser.add_argument("--folder", type=Path, default=PROVISIONED, help="where the files are (default: %(default)s)")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="what documents them (default: %(default)s)")
    options = parser.parse_args(arguments)
    expected = generated()
    before = options.document.read_text(encoding="utf-8")
    after = with_panels(before, map(json.loads, expected.values()))
    if options.check:
        told = differences(expected, options.folder)
        if before != after:
            told.append(f"{options.document}: what it says of panels is not what they say")
        if told:
            sys.stderr.write("\n".join([*told, "write them with: python -m deploy.grafana"]) + "\n")
        return 1 if told else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in expected.items():
        (options.folder / name).write_text(text, encoding="utf-8")
    options.document.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
