"""Errors of models, bundles and training; every message says what is wrong and what to do about it."""

from __future__ import annotations


class ModelsError(Exception):
    """Root of the errors that this package raises on purpose."""


class SpecError(ModelsError, ValueError):
    """A model specification or a training option has a value that makes no sense."""


class TrainingError(ModelsError):
    """The data cannot be trained on, or training cannot go on."""


class BundleError(ModelsError):
    """A bundle is missing, damaged, tampered with, of another version, or cannot be written."""


class RegistryError(ModelsError):
    """A registry does not hold what is asked for, or refuses what is to be put into it."""


class RegistryUnavailableError(RegistryError):
    """A registry cannot be read or written now; trying again later may help."""


class AliasMovedError(RegistryError):
    """Somebody else moved an alias meanwhile."""
