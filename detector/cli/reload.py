"""A new bundle under a running worker: SIGHUP asks for it, and a bad one changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FrameType

import structlog

from detector.cli.assemble import open_bundle, stream_context
from detector.errors import DetectorError
from detector.instruments import TimedScorer
from detector.observability.metrics import Metrics
from detector.pipeline import StreamContext
from detector.records.reasons import REASONS
from detector.settings import StreamSettings

_log = structlog.get_logger(__name__)


def measured(context: StreamContext, metrics: Metrics) -> StreamContext:
    """The stream with its scoring measured and its model shown."""
    metrics.add_stream(context.name, REASONS)
    identity = context.identity
    metrics.set_model(context.name, model=identity.model[:12], version=identity.model_version, runtime=context.runtime)
    return replace(context, scorer=TimedScorer(context.scorer, metrics, context.name))


class BundleReloader:
    """Loads the configured bundles again when it was asked to; the worker calls it once a cycle.

    Args:
        streams: From the settings, which themselves are not read again.
        contexts: What runs now, by input topic.
        ready: Makes a stream as the worker runs it.
        metrics: Told of outcomes and of the model that runs.
        request: Says whether a reload was asked for since it was last called.
    """

    def __init__(
        self,
        streams: tuple[StreamSettings, ...],
        contexts: Mapping[str, StreamContext],
        ready: Callable[[StreamContext], StreamContext],
        metrics: Metrics,
        request: Callable[[], bool],
    ) -> None:
        self._streams = streams
        self._digests = {topic: context.identity.model for topic, context in contexts.items()}
        self._clusters = {topic: context.identity.cluster for topic, context in contexts.items()}
        self._ready = ready
        self._metrics = metrics
        self._request = request

    def __call__(self) -> Mapping[str, StreamContext]:
        """Streams whose bundle is another one than before and passed all checks, by input topic; mostly empty."""
        if not self._request():
            return {}
        replaced: dict[str, StreamContext] = {}
        for stream in self._streams:
            context = self._load(stream)
            if context is not None:
                replaced[stream.topic] = context
        return replaced

    def _load(self, stream: StreamSettings) -> StreamContext | None:
        reloads = self._metrics.model_reloads
        try:
            bundle = open_bundle(stream.model)
            if bundle.digest == self._digests[stream.topic]:
                reloads.labels(stream.name, "unchanged").inc()
                _log.info("the bundle is the one that runs already", stream=stream.name, model=bundle.version)
                return None
            context = stream_context(stream, bundle, self._clusters[stream.topic])
        except DetectorError as error:
            reloads.labels(stream.name, "refused").inc()
            _log.error("the new bundle is refused, the old model goes on", stream=stream.name, reason=str(error))
            return None
        reloads.labels(stream.name, "replaced").inc()
        _log.info("the model is replaced", stream=stream.name, model=bundle.version, digest=bundle.digest[:12])
        self._digests[stream.topic] = bundle.digest
        return self._ready(context)


class HangUp:
    """SIGHUP as a question that is answered once; a context manager, for the main thread."""

    def __init__(self) -> None:
        self._asked = False
        self._previous: object = None

    def __call__(self) -> bool:
        """Whether the signal came since the last call."""
        asked, self._asked = self._asked, False
        return asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True

    def __enter__(self) -> HangUp:
        self._previous = signal.signal(signal.SIGHUP, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGHUP, self._previous)  # type: ignore[arg-type]  # what signal.signal itself returned
