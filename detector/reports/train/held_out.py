"""What the model left of held-out data: reconstructions, channels and series, a section each."""

from __future__ import annotations

import math

import numpy as np

from detector.pages.blocks import Block, Cell, Empty, Facts, Fold, Picture, Section, Table, Text
from detector.pictures import as_item, excerpt_picture
from detector.pictures.words import duration
from detector.printable import printable
from detector.reports.train.cells import figure
from detector.reports.train.trained import Trained
from detector.stretches.stretch import Stretch
from models.training.held_out_view import Excerpt

_MOST_ROWS = 60
_WHY = {"typical": "A typical stretch", "worst": "Where the score was highest"}


def reconstructions_section(trained: Trained) -> Section:
    """Held-out samples beside what the model expected."""
    blocks: list[Block] = []
    for excerpt in trained.held_out.excerpts:
        picture = Picture(as_item(excerpt_picture(_stretch(excerpt, trained))), height="l")
        blocks.append(
            Fold(f"stretch-{len(blocks)}", _WHY[excerpt.why], [picture], facts=[printable(excerpt.series)], open=True)
        )
    if not blocks:
        blocks.append(Empty("No held-out sample has a score"))
    lead = (
        "Held-out samples, which the model has not learned from, beside what it expected (the "
        f"{trained.held_out.told_by}). A good model follows the lines of a typical stretch; the worst ones are either "
        "faults in the training data or what it has yet to learn."
    )
    return Section("reconstructions", "Reconstructions, good and bad", blocks, lead, short="Reconstructions")


def _stretch(excerpt: Excerpt, trained: Trained) -> Stretch:
    count = len(excerpt.times_ns)
    return Stretch(
        stream="",
        series=excerpt.series,
        channels=tuple(trained.document["spec"]["channels"]),
        times_ns=excerpt.times_ns,
        offsets=np.arange(count),
        seen=excerpt.seen,
        expected=excerpt.expected,
        contributions=excerpt.contributions,
        score=excerpt.score,
        threshold=np.full(count, trained.document["calibration"]["threshold"]),
        model=trained.version,
        begun="",
    )


def channels_section(trained: Trained) -> Section:
    """How well each channel is known."""
    errors = zip(trained.document["spec"]["channels"], trained.held_out.channels, strict=True)
    worst = sorted(errors, key=lambda one: -(one[1].unexplained if math.isfinite(one[1].unexplained) else -1.0))
    rows = [
        [
            name,
            "does not move" if not math.isfinite(one.unexplained) else _share(one.unexplained),
            figure(one.typical),
            figure(one.rarely),
        ]
        for name, one in worst
    ]
    lead = (
        "The share of a channel's variance that the model leaves: near 0% it is known well, at 100% no better than by "
        "its mean, and more than that it is estimated worse. Errors are in the channel's own unit."
    )
    table = Table(["channel", "unexplained variance", "typical error", "99% are below"], rows)
    return Section("channels", "Channels", [table], lead)


def series_section(trained: Trained) -> Section:
    """How each series scores, and how it is in the habit of resting."""
    habits, history = trained.habits, trained.document["history"]
    misfits = {one["series"]: one for one in history["misfits"]}
    runs = dict(zip(habits.series, habits.longest_runs, strict=True))
    rows = []
    for one in trained.held_out.series[:_MOST_ROWS]:
        misfit = misfits.get(one.series)
        resting = [run for run in runs.get(one.series, ()) if run is not None]
        rows.append(
            [
                Cell(printable(one.series)),
                Cell(f"{one.samples:,}", number=True),
                figure(one.median),
                figure(one.highest),
                Cell(f"{max(resting):,}" if resting else "-", number=True),
                ""
                if misfit is None
                else Cell(f"{misfit['kind']}, {misfit['ratio']:.2g} times the usual", tone="warning"),
            ]
        )
    gap = habits.gap_seconds
    usual = "no series has two samples" if gap is None else f"{duration(gap)} at most, but for one gap in a thousand"
    watched = sum(run is not None for runs in habits.longest_runs for run in runs)
    of = sum(len(runs) for runs in habits.longest_runs)
    blocks: list[Block] = [
        Facts(
            [
                ("between samples", usual),
                ("watched for freezing", f"{watched:,} of {of:,} channels of series; the others rest too often"),
            ]
        ),
        Table(["series", "held-out scores", "median", "highest", "longest rest", ""], rows),
    ]
    if (more := len(trained.held_out.series) - len(rows)) > 0:
        blocks.append(Text(f"{more:,} more series score lower than these."))
    lead = "The highest scores first. The longest rest is for how many samples a channel kept one value in training."
    return Section("series", "Series and their habits", blocks, lead, short="Series")


def _share(value: float) -> Cell:
    return Cell(f"{value:.1%}", share=min(max(value, 0.0), 1.0))
