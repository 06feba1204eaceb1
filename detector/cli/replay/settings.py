"""From the options of a command that reads history to settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from detector.cli.common.options import cluster_at, named_stream, reason
from detector.errors import ConfigError
from detector.model_address import ModelPlace
from detector.settings import Settings
from detector.settings_file import load_settings


def replay_settings(
    config: Path | None,
    stream: str | None,
    topic: str | None,
    model: ModelPlace | None,
    bootstrap_server: str | None,
    threshold: float | None,
    runtime: str | None,
    from_files: bool,
) -> Settings:
    """Settings of the replay: the file's, narrowed and overridden by options, or made of options alone.

    Args:
        config: Path of the worker's configuration.
        stream: Name of the only stream, or of the one to make.
        topic: Instead of the stream's.
        model: Instead of the stream's.
        bootstrap_server: Instead of the configured ones.
        threshold: Instead of the calibrated one.
        runtime: Instead of the stream's.
        from_files: Whether files are read rather than a topic.

    Raises:
        ConfigError: the options do not go together, or name what there is not.
    """
    if config is not None:
        settings = load_settings(config, os.environ)
        chosen = list(settings.streams) if stream is None else [named_stream(settings, stream, config)]
        if from_files and len(chosen) > 1:
            raise ConfigError(f"--stream: {config} has several streams; say which one the files belong to")
    else:
        if model is None or (topic is None and not from_files):
            raise ConfigError("give -c detector.yaml, or --model with --topic, or --model with files")
        document = {"streams": [{"name": stream or "replay", "topic": topic or "files", "model": str(model)}]}
        try:
            settings = Settings.model_validate(document)
        except ValidationError as error:
            where = str(error.errors()[0]["loc"][-1])
            option = {"name": "--stream", "topic": "--topic", "model": "--model"}.get(where, "options")
            raise ConfigError(f"{option}: {reason(error)}") from error
        chosen = list(settings.streams)
    changes: dict[str, Any] = {}
    if model is not None:
        changes["model"] = model
    if runtime is not None:
        if runtime not in ("onnx", "keras"):
            raise ConfigError(f"--runtime: {runtime!r} is not a runtime; use onnx or keras")
        changes["runtime"] = runtime
    streams = [item.model_copy(update=changes) for item in chosen]
    if topic is not None:
        streams = [item.model_copy(update={"topic": topic}) for item in streams[:1]]
    if threshold is not None:
        streams = [
            item.model_copy(update={"incidents": item.incidents.model_copy(update={"threshold": threshold})})
            for item in streams
        ]
    kafka = cluster_at(settings.kafka, bootstrap_server)
    return Settings.model_validate(settings.model_copy(update={"streams": tuple(streams), "kafka": kafka}))
