"""A worker whose epochs can be followed: known scores, real settings, models told apart by their digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from detector.audit.range import AuditRange
from detector.audit.report import AuditReport
from detector.audit.run import Audit, Readers
from detector.cli.common.lived import settings_of
from detector.kafka.client import consumer_config
from detector.kafka.history import History
from detector.kafka.positions import Positions
from detector.kafka.preflight import check_cluster
from detector.pipeline.context import StreamContext, WindowScorer
from detector.scoring.scores import Scores
from detector.series.carried import States
from detector.series.values import WindowBatch
from detector.settings import Settings, StreamSettings
from detector.settings_file import fingerprint, shaping_settings
from detector.state import Epoch
from tests.worker.support import SECOND_NS, Cluster, MagnitudeScorer, RunningWorker, make_context, make_settings

FIRST, SECOND = "0" * 64, "1" * 64
"""Digests of two models; the second one sees twice as much in everything."""


class DoublingScorer:
    state_dtype = None

    def score(self, batch: WindowBatch, states: States | None = None) -> Scores:
        once = MagnitudeScorer().score(batch)
        return replace(once, score=once.score * 2, contributions=once.contributions * 2)


def magnitudes(model: str) -> WindowScorer:
    return MagnitudeScorer() if model == FIRST else DoublingScorer()


def context_of(
    stream: StreamSettings,
    settings: Settings,
    cluster_id: str,
    model: str = FIRST,
    scorer_of: Callable[[str], WindowScorer] = magnitudes,
) -> StreamContext:
    threshold = stream.incidents.threshold or 1.0
    made = make_context(
        settings,
        cluster_id,
        scorer_of(model),
        threshold=threshold,
        quiet_score=0.8 * threshold,
        cool_down_ns=round(stream.incidents.cool_down_seconds * SECOND_NS),
    )
    return replace(
        made,
        spec=replace(made.spec, max_gap_steps=stream.window.max_gap_steps),
        identity=replace(made.identity, model=model, model_version=f"v{model[0]}", fingerprint=fingerprint(stream)),
        shaping=shaping_settings(stream),
    )


def changed(settings: Settings, section: str, **values: Any) -> Settings:
    """The same settings, but for one section of the stream."""
    stream = settings.streams[0]
    new = stream.model_copy(update={section: getattr(stream, section).model_copy(update=values)})
    return settings.model_copy(update={"streams": (new,)})


Start = Callable[..., RunningWorker]


def start_worker(
    cluster: Cluster,
    settings: Settings | None = None,
    model: str = FIRST,
    scorer_of: Callable[[str], WindowScorer] = magnitudes,
) -> RunningWorker:
    chosen = settings or make_settings(cluster)
    return RunningWorker(
        chosen, lambda cluster_id: {cluster.input: context_of(chosen.streams[0], chosen, cluster_id, model, scorer_of)}
    )


def audit(
    cluster: Cluster,
    settings: Settings | None = None,
    models: tuple[str, ...] = (FIRST, SECOND),
    scorer_of: Callable[[str], WindowScorer] = magnitudes,
    announced: list[int] | None = None,
    **wanted: Any,
) -> AuditReport:
    chosen = settings or make_settings(cluster)
    cluster_id = check_cluster(chosen.kafka).cluster_id

    def resolve(stream: StreamSettings, epoch: Epoch) -> StreamContext | str:
        if epoch.model not in models:
            return f"the model with digest {epoch.model} is not at hand"
        found = settings_of(stream, epoch)
        return found if isinstance(found, str) else context_of(found, chosen, cluster_id, epoch.model, scorer_of)

    readers = Readers(*(History(consumer_config(chosen.kafka), 7) for _ in range(4)))
    try:
        made = Audit(chosen, cluster_id, readers, Positions(chosen.kafka), resolve)
        if announced is not None:
            made.announce = lambda _, records: announced.append(records)
        return made.run(AuditRange(**wanted))
    finally:
        readers.close()
