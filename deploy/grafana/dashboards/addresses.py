"""Pages that dashboards link to."""

from __future__ import annotations

from typing import Final

DOCUMENTS: Final = "https://github.com/reconstream/reconstream/blob/main/docs"
RUNBOOKS: Final = f"{DOCUMENTS}/runbooks"


def runbook(alert: str) -> str:
    """The page that says what an alert means and what to do; Grafana fills in variables in its name."""
    return f"{RUNBOOKS}/{alert}.md"
