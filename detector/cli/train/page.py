"""The report of a training as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector import __version__
from detector.errors import ConfigError
from detector.files.whole import WholeFile

if TYPE_CHECKING:
    from detector.pages.blocks import Section
    from models.training import TrainedModel


def check_page(path: Path) -> None:
    """Find out before a training whether its report can be written.

    Raises:
        ConfigError: not to this path.
        ModuleNotFoundError: what draws its pictures is not installed.
    """
    import detector.pages.render
    import detector.reports.train  # noqa: F401

    if path.is_dir():
        raise ConfigError(f"--report: {path} is a directory; name a file in it, such as {path / 'training.html'}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--report: there is no directory {path.absolute().parent}; make it, or choose another path")


def write_page(
    path: Path,
    trained: TrainedModel,
    document: Mapping[str, Any],
    version: str,
    now: datetime,
    further: Sequence[Section] = (),
) -> None:
    """Write it, as a whole or not at all.

    Args:
        path: Where to.
        trained: What to tell of.
        document: Of `detector.cli.train.report.as_document`.
        version: What people call the bundle by.
        now: When the bundle was made.
        further: Sections after the summary.

    Raises:
        ConfigError: the file cannot be written.
    """
    from detector.pages.render import render_report
    from detector.reports.train import Trained, train_report

    made = f"Made {now:%d %b %Y %H:%M} UTC by reconstream {__version__}"
    page = render_report(train_report(Trained(document, trained.held_out, trained.habits, version), made, further))
    with WholeFile(path) as file:
        file.write(page.encode())
