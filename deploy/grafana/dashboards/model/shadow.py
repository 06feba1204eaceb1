"""The challenger beside the champion."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BAD, BLUE, ORANGE, PURPLE, SKY
from deploy.grafana.dashboards.model.common import RATIO
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import COUNTING_INTERVAL, Levels, bars, density, lines
from deploy.grafana.dashboards.queries import Query, counted, quantile, rate, recorded, streams, total
from deploy.grafana.dashboards.tables import Column, rows

_SHADOW_RATIO: Final = streams("shadow_score_threshold_ratio_bucket")
_NO_CHALLENGER: Final = "no challenger"
_VERDICTS: Final = {"both": BLUE, "champion_only": ORANGE, "challenger_only": PURPLE}


def shadow_section() -> Section:
    """The challenger, beside the champion."""
    verdicts = "stream_verdict:reconstream_shadow_windows:rate5m"
    agreed = total(recorded(verdicts, 'verdict=~"neither|both"'), "stream")
    judged = total(recorded(verdicts), "stream")
    return section(
        "A challenger in the shadow",
        line(
            8,
            rows(
                "Challengers",
                "The model that scores each stream in the shadow; it reports nothing but metrics.",
                [
                    Column("Stream", label="stream"),
                    Column("Version", label="version"),
                    Column("Model", label="model"),
                    Column("Runtime", label="runtime"),
                    Column("Workers", f"count by (stream, version, model, runtime) ({streams('shadow_model_info')})"),
                ],
                sort="Stream",
                unknown=_NO_CHALLENGER,
            ),
            lines(
                "Agreement",
                "Share of the windows scored by both on which they agree, above their own thresholds or not. It is "
                "high for any two models, since most windows are quiet: what they disagree about is in the panel "
                "beside.",
                [Query(f"{agreed} / ({judged} > 0)", "{{stream}}")],
                "percentunit",
                unknown=_NO_CHALLENGER,
                least=None,
            ),
            bars(
                "Windows above a threshold, by whose",
                "Windows above the threshold of both, of the champion (the stream's model) only, or of the challenger "
                "only. Those of one only are what a change of model would add or take away.",
                [
                    Query(
                        counted(streams("shadow_windows_total", 'verdict!="neither"'), "verdict", over="$__interval"),
                        "{{verdict}}",
                    )
                ],
                colours=_VERDICTS,
                unknown=_NO_CHALLENGER,
            ),
        ),
        line(
            8,
            lines(
                "Incidents of both",
                "Incidents that the champion opened, and those that the challenger would have, in each step.",
                [
                    Query(
                        counted(streams("anomalies_total", 'kind="reconstruction"'), over="$__interval"),
                        "champion",
                        ORANGE,
                    ),
                    Query(counted(streams("shadow_incidents_total"), over="$__interval"), "challenger", PURPLE),
                ],
                "short",
                steps=True,
                most=1,
                interval=COUNTING_INTERVAL,
                unknown=_NO_CHALLENGER,
            ),
            lines(
                "99% of scores over their thresholds",
                "The 99% quantile of the scores of both, each over its own threshold (the dashed line at 1).",
                [
                    Query(quantile(0.99, RATIO), "champion", ORANGE),
                    Query(quantile(0.99, _SHADOW_RATIO), "challenger", PURPLE),
                ],
                "short",
                levels=Levels(bad=1),
                log=True,
                unknown=_NO_CHALLENGER,
            ),
            lines(
                "Time to score a batch, both",
                "The 99% quantile of the time that a batch took each of them. A worker scores with both in turn.",
                [
                    Query(quantile(0.99, streams("scoring_duration_seconds_bucket")), "champion", ORANGE),
                    Query(quantile(0.99, streams("shadow_scoring_duration_seconds_bucket")), "challenger", PURPLE),
                ],
                "s",
                unknown=_NO_CHALLENGER,
            ),
        ),
        line(
            8,
            density(
                "Scores of the challenger",
                "Where the scores of the challenger lie, as multiples of its own threshold.",
                Query(rate(_SHADOW_RATIO, "le"), "{{le}}"),
                "short",
                unknown=_NO_CHALLENGER,
            ),
            bars(
                "Windows that cannot be compared, and failures",
                "unscored: windows of the challenger that one of the two models gave no score. failed: partitions on "
                "which the challenger failed, and where it rests until it is replaced.",
                [
                    Query(counted(streams("shadow_windows_unscored_total"), over="$__interval"), "unscored", SKY),
                    Query(counted(streams("shadow_failures_total"), over="$__interval"), "failed", BAD),
                ],
                unknown=_NO_CHALLENGER,
                alerts=("ReconstreamChallengerFailed",),
            ),
        ),
    )
