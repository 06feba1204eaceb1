"""Where a model is: a bundle's directory, or a version or alias in a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SEPARATOR = "://"
DIRECTORY_SCHEME = "registry"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FORM = "registry://DIRECTORY/NAME@ALIAS, or for example s3://BUCKET/FOLDER/NAME@ALIAS; a version may stand for ALIAS"


@dataclass(frozen=True, slots=True)
class RegistryReference:
    """A model in a registry.

    Attributes:
        registry: Address of the registry: ``registry://`` and a directory, or any other that fsspec knows.
        name: Of the model.
        wanted: An alias, or a version.
    """

    registry: str
    name: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}@{self.wanted}"

    @classmethod
    def parse(cls, text: str) -> RegistryReference:
        """Read ``ADDRESS/NAME@ALIAS``.

        Raises:
            ValueError: it is not of this form; the message says what is.
        """
        place, at, wanted = text.rpartition("@")
        if not at or "/" in wanted:
            raise ValueError(f"{shown(text)!r} names no alias and no version; write {_FORM}")
        registry, name = split_model(place)
        if not _NAME.fullmatch(wanted):
            raise ValueError(f"{wanted[:120]!r} is neither an alias nor a version; write {_FORM}")
        return cls(registry, name, wanted)

    def below(self, directory: Path) -> RegistryReference:
        """The same, with a relative directory of ``registry://`` taken as one below another directory."""
        scheme, separator, rest = self.registry.partition(SEPARATOR)
        if scheme != DIRECTORY_SCHEME:
            return self
        return RegistryReference(f"{scheme}{separator}{directory / rest}", self.name, self.wanted)


ModelPlace = Path | RegistryReference
"""What settings and commands may name."""


def is_reference(text: str) -> bool:
    """Whether the text is meant as a registry's address rather than as a directory."""
    return SEPARATOR in text


def model_place(text: str) -> ModelPlace:
    """A bundle's directory or a registry reference.

    Raises:
        ValueError: it is meant as a reference and is none.
    """
    return RegistryReference.parse(text) if is_reference(text) else Path(text)


def split_model(text: str) -> tuple[str, str]:
    """Address of a registry and name of a model, from ``ADDRESS/NAME``; the address may be a plain directory.

    Raises:
        ValueError: it is not of this form; the message says what is.
    """
    registry, slash, name = text.rstrip("/").rpartition("/")
    scheme, separator, rest = registry.partition(SEPARATOR)
    if not slash or (separator and not (rest and _SCHEME.fullmatch(scheme))) or registry.endswith(":/"):
        raise ValueError(f"{shown(text)!r} names no registry; write registry://DIRECTORY/NAME, s3://BUCKET/FOLDER/NAME")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:120]!r} is not the name of a model; use up to 100 letters, digits, '.', '_' and '-', with a "
            "letter or digit first"
        )
    return registry or "/", name


def shown(text: str) -> str:
    """An address for people: short, and without a password."""
    return re.sub(r"//[^/]*:[^/]*@", "//", text)[:200]
