"""Where to publish to, as the options name it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from detector.cli.common.options import cluster_at, reason
from detector.errors import ConfigError
from detector.settings import KafkaSettings, TopicName
from detector.settings_file import load_settings


def kafka_settings(bootstrap_server: str | None, config: Path | None) -> KafkaSettings:
    """How to connect: by a file's section, by an address, or to the cluster on this machine.

    Raises:
        ConfigError: both are given, or one of them cannot be used.
    """
    if config is not None:
        if bootstrap_server is not None:
            raise ConfigError("give either --bootstrap-server or -c, not both; -c brings the address and the login")
        return load_settings(config, os.environ).kafka
    return cluster_at(KafkaSettings(), bootstrap_server)


def check_topic_name(topic: str) -> None:
    """See to it that a topic may have this name.

    Raises:
        ConfigError: it may not.
    """
    try:
        TypeAdapter(TopicName).validate_python(topic)
    except ValidationError as error:
        raise ConfigError(f"--topic: {reason(error)}") from error
