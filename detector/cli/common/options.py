"""Options that several commands take, turned into what they stand for."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from detector.errors import ConfigError
from detector.settings import KafkaSettings, Settings, StreamSettings


def reason(error: ValidationError) -> str:
    """What is wrong with the first value that was refused, in the words of the settings."""
    return str(error.errors()[0]["msg"]).removeprefix("Value error, ")


def cluster_at(kafka: KafkaSettings, bootstrap_server: str | None) -> KafkaSettings:
    """The cluster that ``--bootstrap-server`` names, with the login of another.

    Args:
        kafka: Of the configuration, or all at their defaults.
        bootstrap_server: As typed; None leaves the addresses as they are.

    Raises:
        ConfigError: it is no address.
    """
    if bootstrap_server is None:
        return kafka
    try:
        typed = KafkaSettings.model_validate({"bootstrap_servers": bootstrap_server})
    except ValidationError as error:
        raise ConfigError(f"--bootstrap-server: {reason(error)}") from error
    return kafka.model_copy(update={"bootstrap_servers": typed.bootstrap_servers})


def named_stream(settings: Settings, name: str, config: Path | None) -> StreamSettings:
    """The stream that ``--stream`` names.

    Args:
        settings: Of the configuration.
        name: As typed.
        config: Its file, for the message.

    Raises:
        ConfigError: it has none of that name.
    """
    known = {stream.name: stream for stream in settings.streams}
    if name not in known:
        raise ConfigError(f"--stream: {config} has no stream {name!r}; it has {', '.join(known)}")
    return known[name]
