"""Makes what a test printed fit to be sent to the process that the user started (pytest-xdist).

Between processes text goes as UTF-8, and tests of hostile input print lone surrogates, which have no UTF-8: without
this the first such test would end the run.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    return sendable((yield))


def sendable(told: Any) -> Any:
    """The same nested value, each code point that UTF-8 cannot carry written as an escape."""
    if isinstance(told, str):
        return told.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(told, dict):
        return {sendable(key): sendable(value) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return type(told)(map(sendable, told))
    return told
