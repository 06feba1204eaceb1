"""The live worker, put together: what `detector run` opens, in the order in which it can fail with a clear message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from platform import python_version
from time import monotonic

from prometheus_client import CollectorRegistry

from detector import __version__
from detector.cli.common.assemble import residency
from detector.cli.common.bundles import BundleSource
from detector.cli.run.footprint import memory_limit, tell_footprint
from detector.cli.run.model_watch import ModelWatch, measured
from detector.failpoints import Announce, silent
from detector.kafka.at_least_once import AtLeastOnceCommitter
from detector.kafka.client import consumer_config, producer_config
from detector.kafka.committer import Committer
from detector.kafka.history import History
from detector.kafka.members import is_member
from detector.kafka.preflight import check_cluster, check_group, check_topics
from detector.kafka.source import GroupSource
from detector.kafka.topic_specs import dead_letters_topic, epochs_topic, events_topic, state_topic
from detector.kafka.topics import ensure_topics
from detector.kafka.transactions import TransactionalCommitter
from detector.observability.health import Health
from detector.observability.http import HttpServer
from detector.observability.metrics import Metrics
from detector.pipeline.context import StreamContext
from detector.settings import Settings
from detector.shadow import Shadow
from detector.worker.instruments import Instruments
from detector.worker.loop import Worker
from detector.worker.recovery.values import RecoveryPolicy
from detector.worker.recovery.ways import Recovery

Contexts = Mapping[str, StreamContext]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """An opened worker.

    Attributes:
        worker: Ready to run.
        url: Of its endpoints.
    """

    worker: Worker
    url: str
    _stack: ExitStack

    def close(self) -> None:
        """Release everything; nothing is committed here."""
        self._stack.close()


def open_live(
    settings: Settings,
    contexts_of: Callable[[str], Contexts],
    registry: CollectorRegistry,
    stopping: Callable[[], bool],
    announce: Announce = silent,
    reload_asked: Callable[[], bool] = lambda: False,
) -> LiveParts:
    """Check the cluster, see to the topics, load the models, listen, and join nothing yet.

    Args:
        settings: Checked.
        contexts_of: Makes the streams, by input topic, given the cluster's id.
        registry: For the metrics.
        stopping: Asked by the loop.
        announce: Told of each step of commits and restorations.
        reload_asked: Asked by the loop: whether to load the bundles again.

    Raises:
        KafkaUnavailableError: unreachable, not allowed in, or a topic is missing.
        BundleError: a model does not fit.
        ConfigError: the port is taken, worker.state.directory cannot be written, or a setting does not fit the model.
    """
    with ExitStack() as stack:
        series_residency = residency(settings.worker.state)
        cluster = check_cluster(settings.kafka)
        inputs = [stream.topic for stream in settings.streams]
        counts = check_topics(settings.kafka, inputs)
        contexts = contexts_of(cluster.cluster_id)
        most = max(counts.values())
        outputs = (events_topic, dead_letters_topic, state_topic, epochs_topic)
        wanted = [build(settings.topics, most) for build in outputs]
        ensure_topics(settings.kafka, wanted, create=settings.topics.create)
        check_topics(settings.kafka, [*inputs, settings.topics.state], write=[spec.name for spec in wanted])
        exactly_once = settings.worker.delivery == "exactly_once"
        check_group(settings.kafka, settings.worker.group, transactional_id(settings) if exactly_once else None)
        metrics = Metrics(registry)
        metrics.running.build_info.info({"version": __version__, "python": python_version()})
        metrics.running.memory_limit.set(memory_limit())
        # Before anybody can ask: it says since when the loop has not gone round.
        instruments = Instruments(metrics, settings.worker.max_poll_interval_seconds)
        health = Health(monotonic, settings.http.stalled_after_seconds, ("model", "assignment"))
        health.set_ready("model")
        server = HttpServer(settings.http, registry, health)
        server.start()
        stack.callback(server.stop)

        listed = {stream.topic: frozenset(stream.metrics.series) for stream in settings.streams}

        def ready(context: StreamContext) -> StreamContext:
            topic, most = context.identity.topic, settings.worker.state.max_resident_series
            tell_footprint(context, counts[topic], most, memory_limit())
            metrics.records.input_partitions.labels(context.name).set(counts[topic])
            return replace(measured(context, metrics), residency=series_residency, listed=listed[topic])

        shadowed = {stream.topic for stream in settings.streams if stream.shadow is not None}
        streams = {
            topic: replace(ready(context), shadow=Shadow() if topic in shadowed else None)
            for topic, context in contexts.items()
        }
        worker_settings = settings.worker
        source = GroupSource(consumer_config(settings.kafka), worker_settings, inputs)
        stack.callback(source.close)
        committer = _committer(settings, source, announce)
        stack.callback(committer.close)
        committer.prepare()
        history = History(consumer_config(settings.kafka), worker_settings.max_poll_records)
        stack.callback(history.close)
        recovery = Recovery(
            history,
            source,
            RecoveryPolicy(
                state_topic=settings.topics.state,
                auto_offset_reset=worker_settings.auto_offset_reset,
                on_lost_input=worker_settings.on_lost_input,
                on_lost_state=worker_settings.on_lost_state,
                on_new_partitions=worker_settings.on_new_partitions,
                max_replay_records=worker_settings.state.max_replay_records,
                exactly_once=exactly_once,
            ),
            counts,
            announce=announce,
        )
        watch = ModelWatch(
            settings.streams,
            streams,
            BundleSource(settings.registry),
            ready,
            metrics,
            reload_asked,
            settings.registry.check_interval_seconds,
        )
        watch.start()
        stack.callback(watch.close)
        worker = Worker(
            settings,
            streams,
            counts,
            source,
            committer,
            recovery,
            instruments,
            health,
            stopping,
            watch,
            announce=announce,
            is_member=partial(is_member, settings.kafka, worker_settings.group),
        )
        return LiveParts(worker, server.url, stack.pop_all())


def transactional_id(settings: Settings) -> str:
    """Stable over restarts and unique among workers: the broker fences whoever else uses it."""
    return f"{settings.worker.group}.{settings.worker.instance}"


def _committer(settings: Settings, source: GroupSource, announce: Announce) -> Committer:
    worker = settings.worker
    config = producer_config(settings.kafka)
    if worker.delivery == "at_least_once":
        last = (settings.topics.state, settings.topics.epochs)
        return AtLeastOnceCommitter(config, source, worker.transaction_timeout_seconds, last, announce)
    return TransactionalCommitter(
        config, transactional_id(settings), worker.transaction_timeout_seconds, announce=announce
    )
