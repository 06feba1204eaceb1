"""Names in a registry: they become parts of paths and keys, so nothing in them may lead anywhere else."""

from __future__ import annotations

import re
from typing import Final

from models.errors import RegistryError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
SHORTEST_DIGEST: Final = 8
"""So many digits of a digest, or more, name a version; fewer could be a word."""
_DIGEST_PART: Final = re.compile(rf"[0-9a-f]{{{SHORTEST_DIGEST},64}}")
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]+-\d{8}-([0-9a-f]{8})")


def check_name(name: str) -> str:
    """A model's name, unchanged.

    Raises:
        RegistryError: it could not be a part of a path, or would be a hidden one.
    """
    return _checked(name, "the name of a model")


def check_alias(alias: str) -> str:
    """An alias, unchanged.

    Raises:
        RegistryError: it could not be a part of a path, or would look like a version.
    """
    if digits_of(alias) is not None:
        raise RegistryError(f"{alias!r} looks like a version and cannot be an alias; choose a word such as champion")
    return _checked(alias, "an alias")


def digits_of(wanted: str) -> str | None:
    """The first digits of the digest, if the text names a version rather than an alias.

    Args:
        wanted: A digest, its first eight digits or more, or the text of a version such as ``lstm-20260101-0123abcd``.
    """
    if _DIGEST_PART.fullmatch(wanted):
        return wanted
    version = _VERSION.fullmatch(wanted)
    return None if version is None else version[1]


def _checked(text: str, what: str) -> str:
    if not NAME.fullmatch(text):
        raise RegistryError(
            f"{text[:120]!r} is not {what}; use up to 100 letters, digits, '.', '_' and '-', with a letter or "
            "digit first"
        )
    return text
