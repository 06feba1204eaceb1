"""Pages that dashboards link to."""

from __future__ import annotations

from typing import Final

DOCUMENTS: Final = "https://github.com/reconstream/reconstream/blob/main/docs"
RUNBOOKS: Final = f"{DOCUMENTS}/runbooks"


def runbook(alert: str) -> str:
    """The page that says what an alert means and what to do; Grafana fills in variables in its name."""
    return f"{RUNBOOKS}/{alert}.md"


def incidents(**filters: str) -> str:
    """The page of ``detector dashboard`` with these filters; the variable ``incidents`` says where it is served."""
    return "${incidents}/" + ("?" if filters else "") + "&".join(f"{name}={value}" for name, value in filters.items())
