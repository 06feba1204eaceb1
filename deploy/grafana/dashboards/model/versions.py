"""Which models are in force, where new ones come from, and how each scores."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboards.colours import BAD, GREY, ORANGE, PURPLE, SKY
from deploy.grafana.dashboards.model.common import NO_WORKER, RECORDED_RATIO, worst
from deploy.grafana.dashboards.page import Section, line, section
from deploy.grafana.dashboards.panels import bars, lines
from deploy.grafana.dashboards.queries import Query, counted, quantile, rate, streams, total
from deploy.grafana.dashboards.shared import score_quantiles
from deploy.grafana.dashboards.tables import Column, rows

# With the labels of the model, so that it stands in its row.
_IN_FORCE: Final = (
    f"max by (stream, version, model, runtime) ({streams('model_info')}) "
    f"* on (stream) group_left () max by (stream) ({streams('score_threshold')})"
)


def _recorded_quantile(q: float) -> str:
    return f"histogram_quantile({q:g}, {total(RECORDED_RATIO, 'le')}) >= 0"


def versions_section() -> Section:
    """The models in force, and what each makes of its windows."""
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
                unknown=NO_WORKER,
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
                unknown=NO_WORKER,
                alerts=("ReconstreamModelRefused",),
            ),
            lines(
                "Questions to the registry",
                "How often a registry was asked what an alias names, in a second. Where answers fail, workers go on "
                "with the models that they have. Workers with a directory as model ask none.",
                [Query(rate(streams("registry_checks_total"), "outcome"), "{{outcome}}")],
                "cps",
                colours={"answered": SKY, "failed": BAD},
                unknown=NO_WORKER,
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
                [Query(worst("score_threshold", "stream"), "{{stream}}")],
                "short",
                unknown=NO_WORKER,
                steps=True,
                least=None,
            ),
            score_quantiles(
                "How far the usual window, and the worst ones, are from the threshold (the dashed line at 1).",
                _recorded_quantile,
                unknown="nothing scored",
            ),
            bars(
                "Windows without a score",
                "coverage: too little of the window was observed. unknown: the model gave none. They neither open nor "
                "close an incident, so a stream with many of them is not watched as well as it seems.",
                [Query(counted(streams("windows_unscored_total"), "reason", over="$__interval"), "{{reason}}")],
                colours={"coverage": SKY, "unknown": ORANGE},
                unknown=NO_WORKER,
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
