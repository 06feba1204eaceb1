"""Whether the models fit: their scores, and drift."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BAD, SKY
from deploy.grafana.dashboards.model.common import NO_WORKER, RATIO, RECORDED_RATIO, worst
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import Levels, density, lines, number, spread
from deploy.grafana.dashboards.queries import RANGE, Query, counted, recorded, share_above_threshold, streams, total

_NOT_MEASURED: Final = "not measured yet"


def _drift(kind: str) -> str:
    """How much of its limit a drift has used, of the stream that is farthest."""
    return f"max({recorded(f'stream:reconstream_{kind}_drift_psi:ratio_limit')})"


def overview_section() -> Section:
    """What stands above all else."""
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
                unknown=NO_WORKER,
                calm=SKY,
            ),
            number(
                "Windows above the threshold",
                "Share of the windows of the time range that were above the threshold. Where it stays above what the "
                "model was calibrated for, recalibrate it or train anew.",
                Query(share_above_threshold(RATIO, over=RANGE), "above", instant=True),
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
                unknown=NO_WORKER,
                calm=SKY,
            ),
            number(
                "Models refused",
                "Models that the settings name and that are refused at present, since they are damaged or do not fit: "
                "an older one goes on, or, of a challenger, none. The log says why.",
                Query(f"sum(max by (stream, role) ({streams('model_refused')}))", "refused"),
                "short",
                levels=Levels(bad=1),
                unknown=NO_WORKER,
                alerts=("ReconstreamModelRefused",),
            ),
        ),
        line(
            10,
            density(
                "Score distribution over time",
                "Where the scores of all windows lie, as multiples of the threshold. A band that moves up after a "
                "change of model is another calibration; one that moves up by itself is drift.",
                Query(total(RECORDED_RATIO, "le"), "{{le}}"),
                "short",
                unknown="nothing scored",
            ),
            spread(
                "Score distribution in this time",
                "Windows of the time range by score over threshold; each bar counts those up to its number and above "
                "the one before. Bars above 1 are what incidents come from.",
                Query(f"sum by (le) (increase({RATIO}[{RANGE}]))", "{{le}}", instant=True),
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
                    Query(worst("input_drift_psi", "stream"), "{{stream}}", SKY),
                    Query(worst("input_drift_psi_limit", "stream"), "{{stream}}, limit", BAD, dashed=True),
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
                    Query(worst("score_drift_psi", "stream"), "{{stream}}", SKY),
                    Query(worst("score_drift_psi_limit", "stream"), "{{stream}}, limit", BAD, dashed=True),
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
