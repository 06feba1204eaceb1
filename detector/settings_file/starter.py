"""A first settings file: every setting, explained, at its default."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from detector.settings import Section, Settings
from detector.settings_file.environment import variable_of
from detector.settings_file.problems import Key
from detector.settings_file.tree import kind_of
from detector.settings_file.values import default_of, yaml_value

_WIDTH = 110
_HEAD = """\
# Settings of reconstream. Check this file with: detector config check FILE
#
# A setting that is commented out shows its default; remove the '#' before its name to change it.
# Durations are seconds, or text such as 90s, 5m, 1h30m, 7d. Relative paths start at this file's directory.
# ${NAME} and ${NAME:-default} in values are replaced from the environment. Environment variables named like
# VARIABLE win over this file.
# For help while editing, run: detector config schema > detector.schema.json
# and add the line:  # yaml-language-server: $schema=detector.schema.json
"""
# What most people change, and what has no default, stands uncommented.
_LIVE: dict[Key, str] = {
    ("kafka", "bootstrap_servers"): "[localhost:9092]",
    ("streams", 0, "name"): "telemetry",
    ("streams", 0, "topic"): "telemetry",
    ("streams", 0, "model"): "models/telemetry",
}
# Shown, commented out, where there is no default that would be worth showing.
_EXAMPLES: dict[Key, str] = {
    ("worker", "instance"): "worker-1",
    ("kafka", "sasl", "mechanism"): "SCRAM-SHA-512",
    ("kafka", "sasl", "username"): "reconstream",
    ("kafka", "sasl", "password"): "${KAFKA_PASSWORD}",
    ("streams", 0, "shadow", "model"): "registry://models/telemetry@challenger",
    ("http", "tls", "cert_file"): "server.pem",
    ("http", "tls", "key_file"): "server.key",
    ("http", "auth", "username"): "prometheus",
    ("http", "auth", "password"): "${METRICS_PASSWORD}",
    ("dashboard", "tls", "cert_file"): "server.pem",
    ("dashboard", "tls", "key_file"): "server.key",
    ("dashboard", "auth", "username"): "operations",
    ("dashboard", "auth", "password"): "${DASHBOARD_PASSWORD}",
}
_NOTES: dict[Key, str] = {("worker", "instance"): "Default: the name of the host."}


def starter_text(
    topic: str = "telemetry", model: str = "models/telemetry", bootstrap_servers: str = "localhost:9092"
) -> str:
    """A complete settings file in YAML; it needs nothing but a topic and a bundle that are there.

    Args:
        topic: Input topic.
        model: Directory of the bundle.
        bootstrap_servers: Some of the brokers, each as host:port, separated by commas.
    """
    servers = [one.strip() for one in bootstrap_servers.split(",") if one.strip()]
    live = {
        **_LIVE,
        ("kafka", "bootstrap_servers"): f"[{', '.join(yaml_value('bootstrap_servers', one) for one in servers)}]",
        ("streams", 0, "topic"): yaml_value("topic", topic),
        ("streams", 0, "model"): yaml_value("model", model),
    }
    head = _HEAD.replace("VARIABLE", variable_of(("kafka", "bootstrap_servers")))
    return head + "\n".join(_section(Settings, (), "", live)) + "\n"


def _section(model: type[Section], under: Key, indent: str, live: dict[Key, str]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = (*under, name)
        if not under:
            yield ""
        yield from _comment(field, key, f"{indent}# ")
        section, is_list = kind_of(field).section, kind_of(field).is_list
        if section is None:
            yield f"{indent}{name}: {live[key]}" if key in live else f"{indent}#{name}: {_shown(field, key)}"
        elif is_list:
            yield f"{indent}{name}:"
            lines = list(_section(section, (*key, 0), f"{indent}    ", live))
            first = next(position for position, line in enumerate(lines) if not line.lstrip().startswith("#"))
            yield from (line.removeprefix("  ") for line in lines[:first])
            yield f"{indent}  - {lines[first].lstrip()}"
            yield from lines[first + 1 :]
        elif field.default is None:
            # Not used unless asked for: the whole section is commented out, each '#' in the same column.
            yield f"{indent}#{name}:"
            for line in _section(section, key, "", live):
                yield f"{indent}#  {line.removeprefix('#') if not line.startswith('# ') else line}"
        else:
            yield f"{indent}{name}:"
            yield from _section(section, key, f"{indent}  ", live)


def _shown(field: FieldInfo, key: Key) -> str:
    default = _EXAMPLES.get(key, default_of(field, str(key[-1])))
    assert default is not None, f"a setting without a default needs an example: {key}"  # noqa: S101 - a test walks all
    return default


def _comment(field: FieldInfo, key: Key, start: str) -> Iterator[str]:
    kind = kind_of(field)
    text = " ".join((field.description or "").replace("``", "").split())
    if kind.choices:
        text = f"{text.removesuffix('.')}. One of: {', '.join(map(str, kind.choices))}."
    if key in _NOTES:
        text = f"{text} {_NOTES[key]}"
    yield from textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)
