"""*Worker*: how replays ended that run regularly."""

from __future__ import annotations

from deploy.grafana.dashboards.addresses import runbook
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels
from deploy.grafana.dashboards.tables import Column, rows


def replays_section() -> Section:
    """How replays ended that run regularly."""
    return section(
        "Replays that run regularly",
        line(
            7,
            rows(
                "Replays",
                "How the replays ended that write `--metrics` for Prometheus's node_exporter, one row each. An exit "
                "code other than 0 means that it ended badly; then there are no counts.",
                [
                    Column("Replay", label="replay"),
                    Column(
                        "Exit code",
                        "max by (replay) (reconstream_replay_run_exit_code)",
                        levels=Levels(bad=1),
                        link=(runbook("ReconstreamReplayFailed"), "Runbook"),
                    ),
                    Column(
                        "Ended",
                        "1000 * max by (replay) (reconstream_replay_run_completion_timestamp_seconds)",
                        unit="dateTimeFromNow",
                    ),
                    Column("Took", "max by (replay) (reconstream_replay_run_duration_seconds)", unit="s", decimals=0),
                    Column("Records", "max by (replay) (reconstream_replay_run_records)"),
                    Column("Windows scored", "max by (replay) (reconstream_replay_run_windows_scored)"),
                    Column("Incidents", "sum by (replay) (reconstream_replay_run_incidents)"),
                ],
                sort="Exit code",
                unknown="no replay has written --metrics",
            ),
        ),
    )
