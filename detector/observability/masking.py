"""Secrets never reach a log line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, Final

from pydantic import SecretBytes, SecretStr
from structlog.typing import EventDict

MASK: Final = "***"
_WORDS: Final = r"pass(?:word|wd|phrase)|secret|token|credential|private_?key|api_?key|authorization|jaas"
_SECRET_KEY: Final = re.compile(_WORDS, re.IGNORECASE)
# name=value, name: value and 'name': 'value' in the text of foreign messages, such as a client's configuration.
_SECRET_IN_TEXT: Final = re.compile(
    # Not password_file: where a secret lies is none, and messages about that setting must stay readable.
    rf"""(?P<name>["']?[\w.-]*(?:{_WORDS})(?!_file\b)[\w.-]*["']?\s*[=:]\s*)"""
    r"""(?P<value>[bB]?"(?:[^"\\]|\\.)*"|[bB]?'(?:[^'\\]|\\.)*'|(?:Bearer\s+|Basic\s+)?[^\s,;)}\]]+)""",
    re.IGNORECASE,
)
# user:password@ of an URL.
_SECRET_IN_URL: Final = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(?=@)", re.IGNORECASE)
# None and booleans say whether a secret is there, which is no secret.
_HARMLESS: Final = (bool, type(None))


def mask_text(text: str) -> str:
    """``text`` without the values that follow something named like a password, and without those in URLs."""
    text = _SECRET_IN_TEXT.sub(lambda match: match["name"] + MASK, text)
    return _SECRET_IN_URL.sub(lambda match: match["head"] + MASK, text)


def mask_value(value: Any) -> Any:
    """``value`` with the secrets inside masked, at any depth of mappings and sequences."""
    if isinstance(value, (SecretStr, SecretBytes)):
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _mask_item(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_value(item) for item in value]
    if isinstance(value, Set):
        return sorted((mask_value(item) for item in value), key=repr)
    return value


def _mask_item(key: object, value: Any) -> Any:
    if isinstance(key, str) and _SECRET_KEY.search(key) and not isinstance(value, _HARMLESS):
        return MASK
    return mask_value(value)


def mask_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: mask every field that is named like a secret, and secrets in the text of the others."""
    for key, value in event.items():
        if not key.startswith("_") and key != "exc_info":
            event[key] = _mask_item(key, value)
    return event
