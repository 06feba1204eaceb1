"""*Model*: which models score, and whether they still fit."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.colours import BAD, BLUE, GREY, ORANGE, PURPLE, SKY
from deploy.grafana.dashboards.page import ALERTS, INCIDENTS, MODELS, Section, line, page, section
from deploy.grafana.dashboards.panels import COUNTING_INTERVAL, Levels, bars, density, lines, number, spread
from deploy.grafana.dashboards.queries import (
    RANGE,
    Query,
    counted,
    quantile,
    rate,
    recorded,
    share_above_threshold,
    streams,
    total,
)
from deploy.grafana.dashboards.tables import Column, rows

_RATIO: Final = streams("score_threshold_ratio_bucket")
_RECORDED_RATIO: Final = recorded("stream_le:reconstream_score_threshold_ratio_bucket:rate5m")
_SHADOW_RATIO: Final = streams("shadow_score_threshold_ratio_bucket")
# With the labels of the model, so that it stands in its row.
_IN_FORCE: Final = (
    f"max by (stream, version, model, runtime) ({streams('model_info')}) "
    f"* on (stream) group_left () max by (stream) ({streams('score_threshold')})"
)
_NO_WORKER: Final = "no worker"
_NO_CHALLENGER: Final = "no challenger"
_NOT_MEASURED: Final = "not measured yet"
_VERDICTS: Final = {"both": BLUE, "champion_only": ORANGE, "challenger_only": PURPLE}


def _worst(metric: str, *by: str) -> str:
    return f"max by ({', '.join(by)}) ({streams(metric)})" if by else f"max({streams(metric)})"


def _drift(kind: str) -> str:
    """How much of its limit a drift has used, of the stream that is farthest."""
    return f"max({recorded(f'stream:reconstream_{kind}_drift_psi:ratio_limit')})"


def _recorded_quantile(q: float) -> str:
    return f"histogram_quantile({q:g}, {total(_RECORDED_RATIO, 'le')}) >= 0"


def _overview() -> Section:
    return section(
        None,
        line(
            4,
            number(
                "Models in force",
                "Different versions that score the selected streams. More than one for a stream, for longer than a "
                "moment, means that a worker has not taken the new one.",
                Query(f"count(count by (stream, version) ({streams('model_info')}))", "models"),
                "short",
                unknown=_NO_WORKER,
                calm=SKY,
            ),
            number(
                "Windows above the threshold",
                "Share of the windows of the time range that were above the threshold. Where it stays above what the "
                "model was calibrated for, recalibrate it or train anew.",
                Query(share_above_threshold(_RATIO, over=RANGE), "above", instant=True),
                "percentunit",
                levels=Levels(warn=0.05, bad=0.2),
                unknown="nothing scored",
                decimals=2,
                alerts=("ReconstreamThresholdExceededOften",),
            ),
            number(
                "Input drift over its limit",
                "Drift of the channel that is farthest from the training data, over the limit of that channel, of the "
                "stream for which it is greatest. Above 100% it has shifted; the worker's log names the channels.",
                Query(_drift("input"), "drift"),
                "percentunit",
                levels=Levels(warn=0.8, bad=1),
                unknown=_NOT_MEASURED,
                decimals=0,
                alerts=("ReconstreamInputDrifted",),
            ),
            number(
                "Score drift over its limit",
                "Drift of the scores against those of held-out data, over its limit, of the stream for which it is "
                "greatest. Above 100% the threshold means something else than it did at calibration.",
                Query(_drift("score"), "drift"),
                "percentunit",
                levels=Levels(warn=0.8, bad=1),
                unknown=_NOT_MEASURED,
                decimals=0,
                alerts=("ReconstreamScoresDrifted",),
            ),
            number(
                "Models taken over in this time",
                "New bundles that running workers took over in the time range, counted once for each worker and "
                "stream.",
                Query(
                    counted(streams("model_swaps_total", 'role="champion"', 'outcome="replaced"')),
                    "taken over",
                    instant=True,
                ),
                "short",
                unknown=_NO_WORKER,
                calm=SKY,
            ),
            number(
                "Models refused",
                "Models that the settings name and that are refused at present, since they are damaged or do not fit: "
                "an older one goes on, or, of a challenger, none. The log says why.",
                Query(f"sum(max by (stream, role) ({streams('model_refused')}))", "refused"),
                "short",
                levels=Levels(bad=1),
                unknown=_NO_WORKER,
                alerts=("ReconstreamModelRefused",),
            ),
        ),
        line(
            10,
            density(
                "Score distribution over time",
                "Where the scores of all windows lie, as multiples of the threshold. A band that moves up after a "
                "change of model is another calibration; one that moves up by itself is drift.",
                Query(total(_RECORDED_RATIO, "le"), "{{le}}"),
                "short",
                unknown="nothing scored",
            ),
            spread(
                "Score distribution in this time",
                "Windows of the time range by score over threshold; each bar counts those up to its number and above "
                "the one before. Bars above 1 are what incidents come from.",
                Query(f"sum by (le) (increase({_RATIO}[{RANGE}]))", "{{le}}", instant=True),
                unknown="nothing scored",
            ),
        ),
        line(
            9,
            lines(
                "Input drift",
                "Population stability index of the channel that is farthest from the training data for its limit "
                "(dashed: that limit, as measured in training). Beyond it, a sensor or unit changed, or the ordinary "
                "did: see to it, or train anew with `detector retrain`.",
                [
                    Query(_worst("input_drift_psi", "stream"), "{{stream}}", SKY),
                    Query(_worst("input_drift_psi_limit", "stream"), "{{stream}}, limit", BAD, dashed=True),
                ],
                "short",
                unknown=_NOT_MEASURED,
                alerts=("ReconstreamInputDrifted",),
            ),
            lines(
                "Score drift",
                "Population stability index of the scores against those of held-out data (dashed: its limit). Where "
                "it is beyond, the share of false alarms is not what calibration promised.",
                [
                    Query(_worst("score_drift_psi", "stream"), "{{stream}}", SKY),
                    Query(_worst("score_drift_psi_limit", "stream"), "{{stream}}, limit", BAD, dashed=True),
                ],
                "short",
                unknown=_NOT_MEASURED,
                alerts=("ReconstreamScoresDrifted",),
            ),
            lines(
                "Windows above the threshold, by stream",
                "Share of the scored windows that were above the threshold.",
                [Query(recorded("stream:reconstream_windows_above_threshold:ratio_rate5m"), "{{stream}}")],
                "percentunit",
                most=0.01,
                unknown="nothing scored",
            ),
        ),
    )


def _versions() -> Section:
    return section(
        "Versions",
        line(
            7,
            rows(
                "In force",
                "The model that scores each stream, and how many workers have it.",
                [
                    Column("Stream", label="stream"),
                    Column("Version", label="version"),
                    Column("Model", label="model"),
                    Column("Runtime", label="runtime"),
                    Column("Workers", f"count by (stream, version, model, runtime) ({streams('model_info')})"),
                    Column("Threshold", _IN_FORCE, decimals=4),
                ],
                sort="Stream",
                unknown=_NO_WORKER,
            ),
            bars(
                "New models",
                "What running workers did with new bundles: replaced (taken over), refused (bad, the old one goes "
                "on), removed (the alias names nothing any more). That an alias names what is in force already is not "
                "shown.",
                [
                    Query(
                        counted(
                            streams("model_swaps_total", 'outcome!="unchanged"'), "role", "outcome", over="$__interval"
                        ),
                        "{{role}} {{outcome}}",
                    )
                ],
                colours={
                    "champion replaced": SKY,
                    "champion refused": BAD,
                    "champion removed": ORANGE,
                    "challenger replaced": PURPLE,
                    "challenger refused": BAD,
                    "challenger removed": GREY,
                },
                unknown=_NO_WORKER,
                alerts=("ReconstreamModelRefused",),
            ),
            lines(
                "Questions to the registry",
                "How often a registry was asked what an alias names, in a second. Where answers fail, workers go on "
                "with the models that they have. Workers with a directory as model ask none.",
                [Query(rate(streams("registry_checks_total"), "outcome"), "{{outcome}}")],
                "cps",
                colours={"answered": SKY, "failed": BAD},
                unknown=_NO_WORKER,
                alerts=("ReconstreamRegistryUnreachable",),
            ),
        ),
        line(
            8,
            lines(
                "Threshold",
                "Threshold in force, by stream, in the unit of the model's score. It moves with a change of model "
                "only. Those of two models cannot be compared, which is why the other panels show scores over their "
                "threshold.",
                [Query(_worst("score_threshold", "stream"), "{{stream}}")],
                "short",
                unknown=_NO_WORKER,
                steps=True,
                least=None,
            ),
            lines(
                "Score over threshold, quantiles",
                "How far the usual window, and the worst ones, are from the threshold (the dashed line at 1).",
                [
                    Query(_recorded_quantile(0.999), "99.9%", BAD),
                    Query(_recorded_quantile(0.99), "99%", ORANGE),
                    Query(_recorded_quantile(0.9), "90%", SKY),
                    Query(_recorded_quantile(0.5), "median", BLUE),
                ],
                "short",
                levels=Levels(bad=1),
                log=True,
                unknown="nothing scored",
            ),
            bars(
                "Windows without a score",
                "coverage: too little of the window was observed. unknown: the model gave none. They neither open nor "
                "close an incident, so a stream with many of them is not watched as well as it seems.",
                [Query(counted(streams("windows_unscored_total"), "reason", over="$__interval"), "{{reason}}")],
                colours={"coverage": SKY, "unknown": ORANGE},
                unknown=_NO_WORKER,
            ),
            lines(
                "Time to score a batch",
                "Time that a batch of windows took the model to score, 99% quantile by stream.",
                [Query(quantile(0.99, streams("scoring_duration_seconds_bucket"), "stream"), "{{stream}}")],
                "s",
                unknown="nothing scored",
            ),
        ),
    )


def _shadow() -> Section:
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
                    Query(quantile(0.99, _RATIO), "champion", ORANGE),
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


def build() -> dashboard.Dashboard:
    """The dashboard as Grafana has it."""
    return page(
        "reconstream-model",
        "reconstream: Model",
        "Which models score, and whether they still fit: distribution of scores, drift, versions, and the challenger "
        "beside the champion.",
        (_overview(), _versions(), _shadow()),
        annotations=(MODELS, INCIDENTS, ALERTS),
        since="now-24h",
        refresh="1m",
    )
