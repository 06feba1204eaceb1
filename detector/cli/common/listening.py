"""A place to listen in on scoring, for whoever wants to see what a model was given."""

from __future__ import annotations

from typing import Protocol

from detector.pipeline.context import WindowScorer
from models.runtimes import Runtime


class Listener(Protocol):
    """Wraps a runtime and the scorer around it, both of which go on as they would without it."""

    def runtime(self, runtime: Runtime) -> Runtime:
        """The runtime, listened to."""

    def scorer(self, scorer: WindowScorer) -> WindowScorer:
        """The scorer, listened to."""
