"""Metrics of the program and of the models that it runs."""

from __future__ import annotations

from detector.observability.factory import MetricFactory
from detector.observability.metrics.labels import MODEL_ROLES, REGISTRY_OUTCOMES, SWAP_OUTCOMES


class RunningMetrics:
    """Which models are in force, and what became of others."""

    def __init__(self, make: MetricFactory) -> None:
        make.section("What is running")
        self.model_swaps = make.counter(
            "model_swaps_total",
            "New bundles under a running worker, by role (champion or challenger) and outcome: replaced, unchanged, "
            "refused (it is bad, the old one goes on), removed (the alias names nothing any more, or a challenger "
            "became the stream's model and rests).",
            "stream", "role", "outcome",
        )  # fmt: skip
        self.model_refused = make.gauge(
            "model_refused",
            "1 while the bundle that the settings name for a role is refused, so that an older one goes on or, for a "
            "challenger, perhaps none; otherwise 0.",
            "stream", "role",
        )  # fmt: skip
        self.registry_checks = make.counter(
            "registry_checks_total",
            "Times that a registry was asked what an alias names, by outcome: answered or failed.",
            "stream", "outcome",
        )  # fmt: skip
        self.model_info = make.info(
            "model", "The model that scores a stream; always 1.", ("stream",), ("model", "version", "runtime")
        )
        self.memory_limit = make.gauge(
            "memory_limit_bytes", "Memory that this process may use: of its control group, or all of the machine's."
        )
        self.build_info = make.info("build", "The program; always 1.", (), ("version", "python"))

    def add_stream(self, stream: str) -> None:
        """Expose a stream at zero."""
        for outcome in REGISTRY_OUTCOMES:
            self.registry_checks.labels(stream, outcome)
        self.model_refused.labels(stream, "champion")
        for role in MODEL_ROLES:
            for outcome in SWAP_OUTCOMES:
                self.model_swaps.labels(stream, role, outcome)

    def add_shadow(self, stream: str) -> None:
        """Expose a stream that is to have a challenger at zero."""
        self.model_refused.labels(stream, "challenger")

    def set_model(self, stream: str, *, model: str, version: str, runtime: str) -> None:
        """Say which model scores a stream; a later call replaces the earlier one's values.

        Args:
            stream: Name of the stream.
            model: Name or digest of the bundle.
            version: Its version.
            runtime: ``onnx`` or ``keras``.
        """
        self.model_info.labels(stream).info({"model": model, "version": version, "runtime": runtime})
