"""Ends a test run with one line that names every test that could not be run here, or says that there was none.

With ``CI`` set in the environment such a test fails the run: a skip there would look green and prove nothing.

Where pytest-xdist spreads the tests over processes, the one that the user started writes the line. Skips reach it with
the reports of the tests; what was deselected only the other processes know, and they tell it when they end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

_SHOWN_REASONS = 8
_DESELECTED = "deselected on the command line"


class NotRun:
    """Collects what was skipped or deselected, and reports it when all else has been printed."""

    def __init__(self, *, in_ci: bool) -> None:
        self.in_ci = in_ci
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure also arrives as "skipped", but it did run.
        if report.skipped and not hasattr(report, "wasxfail"):
            self.reasons[_reason(report)] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.reasons[_reason(report)] += 1

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.reasons[_DESELECTED] += len(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        # Each process collects all tests and deselects the same ones.
        told = getattr(node, "workeroutput", {}).get(_DESELECTED, 0)  # nothing where it crashed
        if told:
            self.reasons[_DESELECTED] = max(self.reasons[_DESELECTED], told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.in_ci and self.reasons and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    # Later than any summary, so that this is the last line.
    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        config.get_terminal_writer().line(self.line(), red=bool(self.reasons and self.in_ci), yellow=bool(self.reasons))

    def line(self) -> str:
        if not self.reasons:
            return "Could not be run here: nothing."
        ranked = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{reason} ({count})" for reason, count in ranked[:_SHOWN_REASONS]]
        if len(self.reasons) > _SHOWN_REASONS:
            shown.append(f"{len(self.reasons) - _SHOWN_REASONS} further reasons")
        count = self.reasons.total()
        verdict = " In CI nothing may be missing: the run failed." if self.in_ci else ""
        return f"Could not be run here: {count} test{'s' * (count != 1)}: {'; '.join(shown)}.{verdict}"


class Deselected:
    """In a process that runs a share of the tests: counts what it deselected for the one that reports it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.told[_DESELECTED] = self.told.get(_DESELECTED, 0) + len(items)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # The reason of a skip is the last of (path, line, reason).
    text = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").rstrip(".")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workeroutput"):
        config.pluginmanager.register(Deselected(config.workeroutput), "what-was-deselected")
    elif not config.option.collectonly:
        in_ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
        config.pluginmanager.register(NotRun(in_ci=in_ci), "what-did-not-run")
