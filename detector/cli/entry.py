"""What is known of a command before its module is imported."""

from __future__ import annotations

import importlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is defined, and what the overview says about it.

    Attributes:
        target: ``module:attribute`` of a function with Typer options, or of a ``typer.Typer`` for a group of commands.
        summary: One line for ``detector --help`` and for shell completion.
    """

    target: str
    summary: str

    def load(self) -> object:
        """Import the module and return what ``target`` names.

        Raises:
            ImportError: The module, or something that it imports, is not there.
            AttributeError: The module does not define the attribute.
        """
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
