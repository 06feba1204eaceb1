"""New models under a running worker: found, loaded and checked on a thread of their own, put in place by the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from detector.cli.common.assemble import stream_context, warm_up
from detector.cli.common.bundles import BundleSource
from detector.cli.run.following import Seat
from detector.errors import BundleError, DetectorError
from detector.observability.metrics import Metrics
from detector.observability.metrics.labels import SwapOutcome
from detector.pipeline.context import StreamContext
from detector.records.reasons import OTHER, REASONS
from detector.settings import StreamSettings
from detector.shadow import Shadow, ShadowModel
from detector.shadow.model import MisfitError, Projection
from detector.worker.timed_scorers import MeasuredScorer, TimedScorer
from models.bundle import Bundle

_log = structlog.get_logger(__name__)


def measured(context: StreamContext, metrics: Metrics) -> StreamContext:
    """The stream with its scoring measured and its model shown."""
    metrics.add_stream(context.name, (*REASONS, OTHER))
    identity = context.identity
    metrics.running.set_model(
        context.name, model=identity.model[:12], version=identity.model_version, runtime=context.runtime
    )
    metrics.scores.remove_drift(context.name)  # it was against another model's training
    metrics.scores.threshold.labels(context.name).set(context.policy.threshold)
    return replace(context, scorer=MeasuredScorer(context.scorer, metrics, context.name, drift=context.drift))


@dataclass(slots=True)
class _Stream:
    """What is known of a stream.

    Attributes:
        settings: As the worker started with them; they are not read again.
        context: That runs, or is about to.
        shadow: Holds the challenger; None where the settings have none.
        champion: The seat of its model.
        challenger: The seat of its challenger.
        anew: Whether the challenger has to be looked at whatever its alias says, since the model beside it changed.
    """

    settings: StreamSettings
    context: StreamContext
    shadow: Shadow | None
    champion: Seat
    challenger: Seat | None
    anew: bool = True


class ModelWatch:
    """Looks for other bundles: every few seconds where an alias is followed, and everywhere when somebody asks.

    Nothing here holds up the worker, which asks once a cycle for what is ready.

    Args:
        streams: From the settings.
        contexts: What runs now, by input topic, each with the holder of its challenger.
        source: Opens bundles; used by this thread alone from now on.
        ready: Makes a stream as the worker runs it.
        metrics: Told of outcomes.
        request: Says whether somebody asked since it was last called.
        interval_seconds: Between looks at aliases.
    """

    def __init__(
        self,
        streams: tuple[StreamSettings, ...],
        contexts: Mapping[str, StreamContext],
        source: BundleSource,
        ready: Callable[[StreamContext], StreamContext],
        metrics: Metrics,
        request: Callable[[], bool],
        interval_seconds: float,
    ) -> None:
        self._source = source
        self._ready = ready
        self._metrics = metrics
        self._request = request
        self._interval_seconds = interval_seconds
        self._streams = [self._stream(settings, contexts[settings.topic]) for settings in streams]
        self._lock = threading.Lock()
        self._loaded: dict[str, StreamContext] = {}
        self._wake = threading.Event()
        self._asked = False
        self._closed = False
        self._complaints: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def _stream(self, settings: StreamSettings, context: StreamContext) -> _Stream:
        champion = Seat(
            settings.name, "champion", settings.model, context.identity.model,
            lambda bundle: self._load_champion(stream, bundle), None, self._source,
        )  # fmt: skip
        challenger = None
        if settings.shadow is not None:
            challenger = Seat(
                settings.name, "challenger", settings.shadow.model, None,
                lambda bundle: self._load_challenger(stream, bundle), lambda: self._put(stream, None), self._source,
            )  # fmt: skip
        stream = _Stream(settings, context, context.shadow, champion, challenger)
        return stream

    # -- the worker's side
    # -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look."""
        for stream in self._streams:
            if stream.challenger is not None:
                self._metrics.add_shadow(stream.settings.name)
        self._thread.start()

    def close(self) -> None:
        """Look no more; a bundle that is being loaded is waited for only a little."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def __call__(self) -> Mapping[str, StreamContext]:
        """Streams whose bundle is another one than before and passed all checks, by input topic; mostly empty."""
        if self._request():
            self._asked = True
            self._wake.set()
        if not self._loaded:
            return {}
        with self._lock:
            loaded, self._loaded = self._loaded, {}
        return {topic: self._ready(context) for topic, context in loaded.items()}

    # -- the thread's side
    # -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        follows = any(
            seat.follows
            for stream in self._streams
            for seat in (stream.champion, stream.challenger)
            if seat is not None
        )
        while not self._closed:
            asked, self._asked = self._asked, False
            self.look(asked)
            self._wake.wait(self._interval_seconds if follows else None)
            self._wake.clear()

    def look(self, asked: bool) -> None:
        """Look once at every stream.

        Args:
            asked: Whether somebody wants to know, as with SIGHUP.
        """
        for stream in self._streams:
            self._look(stream.champion, asked)
            if stream.challenger is not None:
                anew, stream.anew = stream.anew, False
                self._look(stream.challenger, asked or anew)

    def _look(self, seat: Seat, asked: bool) -> None:
        key = f"{seat.stream} {seat.role}"
        try:
            outcome = seat.look(asked)
        except Exception as error:  # nothing about other models may end the watch, or touch those that run
            reason = str(error) if isinstance(error, DetectorError) else f"{type(error).__name__}: {error}"
            self._metrics.running.registry_checks.labels(seat.stream, "failed").inc()
            if self._complaints.get(key) != reason:  # once for each thing that is wrong, however long it lasts
                self._complaints[key] = reason
                _log.warning(
                    "the registry cannot tell what an alias names; everything stays as it is",
                    stream=seat.stream, role=seat.role, reason=reason,
                )  # fmt: skip
            return
        self._complaints.pop(key, None)
        self._metrics.running.model_refused.labels(seat.stream, seat.role).set(seat.is_refused)
        if seat.follows:
            self._metrics.running.registry_checks.labels(seat.stream, "answered").inc()
        if outcome is not None:
            self._metrics.running.model_swaps.labels(seat.stream, seat.role, outcome).inc()

    def _load_champion(self, stream: _Stream, bundle: Bundle) -> SwapOutcome:
        before = stream.context
        context = stream_context(stream.settings, bundle, before.identity.cluster)
        warm_up(context, bundle)
        same = replace(context.spec, stride=before.spec.stride) == before.spec
        stream.context = replace(context, shadow=stream.shadow)
        if stream.challenger is not None:
            # It may be the model itself now, or not fit any more, or be another one again.
            stream.challenger.digest, stream.anew = None, True
        _log.info(
            "the model is replaced",
            stream=context.name, model=bundle.version, digest=bundle.digest[:12], before=before.identity.model_version,
            windows="kept" if same else "rebuilt",
        )  # fmt: skip
        with self._lock:
            self._loaded[stream.settings.topic] = stream.context
        return "replaced"

    def _load_challenger(self, stream: _Stream, bundle: Bundle) -> SwapOutcome:
        shadow = stream.settings.shadow
        assert shadow is not None  # noqa: S101 - only streams with one have such a seat
        champion = stream.context
        if bundle.digest == champion.identity.model:
            _log.info("the challenger is the stream's own model; it rests", stream=champion.name, model=bundle.version)
            self._put(stream, None)
            return "removed"
        context = stream_context(stream.settings, bundle, champion.identity.cluster)
        scorer = TimedScorer(context.scorer, self._metrics.shadow.scoring_duration, champion.name)
        model = ShadowModel(scorer, context.spec, context.policy, context.identity, shadow.share)
        try:
            Projection.between(champion.spec, champion.policy.channels, model)
        except MisfitError as error:
            raise BundleError(
                f"the challenger does not fit the stream's windows: {error}; compare the two with: detector replay "
                "--shadow"
            ) from error
        warm_up(context, bundle)
        self._put(stream, model)
        _log.info(
            "a challenger scores in the shadow",
            stream=champion.name, model=bundle.version, digest=bundle.digest[:12], share=shadow.share,
        )  # fmt: skip
        return "replaced"

    def _put(self, stream: _Stream, model: ShadowModel | None) -> None:
        assert stream.shadow is not None  # noqa: S101 - only streams with one have such a seat
        stream.shadow.model = model
        if model is None:
            self._metrics.shadow.remove_model(stream.settings.name)
            return
        self._metrics.shadow.set_model(
            stream.settings.name,
            model=model.identity.model[:12],
            version=model.identity.model_version,
            runtime=stream.settings.runtime,
        )
