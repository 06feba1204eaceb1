"""The page of a training, section by section."""

from __future__ import annotations

from collections.abc import Sequence

from detector.pages.blocks import Report, Section
from detector.reports.selection import selection_section
from detector.reports.train.cells import windows
from detector.reports.train.fitting import gradients_section, loss_section
from detector.reports.train.held_out import channels_section, reconstructions_section, series_section
from detector.reports.train.scores import scores_section
from detector.reports.train.summary import recipe_section, summary_section
from detector.reports.train.trained import Trained


def train_report(trained: Trained, made: str, further: Sequence[Section] = ()) -> Report:
    """Lay it out.

    Args:
        trained: What to tell of.
        made: When and by what, for the foot of the page.
        further: Sections that come after the summary, such as a comparison with the model before.
    """
    document = trained.document
    spec, history = document["spec"], document["history"]
    sections = [summary_section(trained), *further, recipe_section(trained), loss_section(history)]
    sections += [gradients_section(history), scores_section(trained), reconstructions_section(trained)]
    sections += [channels_section(trained), series_section(trained)]
    if history["selection"] is not None:
        sections.insert(2 + len(further), selection_section(history["selection"]))
    channels = f"{len(spec['channels'])} channel{'s' if len(spec['channels']) > 1 else ''}"
    return Report(
        title=f"Training of {trained.version}",
        subtitle=f"{spec['architecture']} on {channels} of {len(trained.habits.series):,} series, {windows(spec)}",
        sections=sections,
        made=made,
    )
