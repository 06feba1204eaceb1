"""How a training went, as a page: what was learned, how well, and what the threshold will let through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.pages.blocks import (
    Block,
    Cell,
    Empty,
    Facts,
    Fold,
    Note,
    Pair,
    Picture,
    Report,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    Value,
)
from detector.pictures import as_item, excerpt_picture, gradient_norms, layer_norms, losses, score_histogram
from detector.pictures.words import duration, number, sentence
from detector.printable import printable
from detector.reports.selection import selection_section
from detector.stretches.stretch import Stretch
from models.habits import Habits
from models.horizon import Horizon
from models.outputs import SAMPLE_BEFORE
from models.training.held_out_view import Excerpt, HeldOutView

_MOST_ROWS = 60
_NAMES = {
    "exploding": "Gradients explode",
    "vanishing": "Gradients vanish",
    "clipped": "Clipping sets the pace",
    "short_memory": "The memory is short",
}
_WHY = {"typical": "A typical stretch", "worst": "Where the score was highest"}


@dataclass(frozen=True, slots=True)
class Trained:
    """What the report tells of.

    Attributes:
        document: Of `detector.cli.train.report.as_document`.
        held_out: What the model left of the held-out data.
        habits: Of the training data.
        version: Short name of the bundle.
    """

    document: Mapping[str, Any]
    held_out: HeldOutView
    habits: Habits
    version: str


def train_report(trained: Trained, made: str, further: Sequence[Section] = ()) -> Report:
    """Lay it out.

    Args:
        trained: What to tell of.
        made: When and by what, for the foot of the page.
        further: Sections that come after the summary, such as a comparison with the model before.
    """
    document = trained.document
    spec, history = document["spec"], document["history"]
    sections = [_summary(trained), *further, _recipe(trained), _loss(history), _gradients(history), _scores(trained)]
    sections += [_reconstructions(trained), _channels(trained), _series(trained)]
    if history["selection"] is not None:
        sections.insert(2 + len(further), selection_section(history["selection"]))
    channels = f"{len(spec['channels'])} channel{'s' if len(spec['channels']) > 1 else ''}"
    return Report(
        title=f"Training of {trained.version}",
        subtitle=f"{spec['architecture']} on {channels} of {len(trained.habits.series):,} series, {_period(spec)}",
        sections=sections,
        made=made,
    )


def _period(spec: Mapping[str, Any]) -> str:
    if spec["period_seconds"] is None:
        return f"windows of {spec['window']} samples"
    return f"windows of {spec['window']} samples every {duration(spec['period_seconds'])}"


def _summary(trained: Trained) -> Section:
    document, history = trained.document, trained.document["history"]
    calibration = document["calibration"]
    expected = calibration["expected_alerts_per_day"]
    tiles = [
        Tile(
            "Held-out loss",
            number(history["val_loss"]),
            f"training {number(history['loss'])}"
            + (f", epoch {history['best_epoch']} of {len(history['epochs'])}" if history["epochs"] else ""),
        ),
        *_unexplained(history["unexplained"]),
        Tile("Threshold", number(calibration["threshold"]), calibration["method"].replace("_", " ")),
        Tile(
            "Alerts to expect",
            "unknown" if expected is None else f"{7 * expected:.2g} a week",
            "for each series, of normal operation" + _asked(calibration),
            "warning" if document["shortfall"] is not None else "plain",
        ),
        Tile(
            "Took",
            duration(history["seconds"]),
            f"{history['training_windows']:,} windows, {history['held_out_windows']:,} held out",
        ),
        Tile(
            "Size",
            f"{history['parameters']:,}",
            f"parameters; a worker keeps {_carried(document):,} bytes of each series",
        ),
    ]
    notes: list[Block] = []
    if document["shortfall"] is not None:
        reason, _, remedy = document["shortfall"].partition(": ")
        notes.append(
            Note("The alert budget cannot be seen in this history", sentence(reason), sentence(remedy), "warning")
        )
    notes += _findings(history)
    if history["misfits"]:
        notes.append(
            Note(
                f"{len(history['misfits'])} series are unlike the rest",
                "One model for all does not serve them; the section on series names them.",
                "Give them a model of their own.",
                "warning",
            )
        )
    if not notes:
        what = "gradients and alert budget" if history["epochs"] else "alert budget"
        notes.append(Note(f"Nothing was found wrong with {what}", tone="good"))
    return Section("summary", "Summary", [Tiles(tiles), *notes], plain=True)


def _findings(history: Mapping[str, Any]) -> list[Block]:
    return [
        Note(_NAMES.get(one["kind"], one["kind"]), sentence(one["message"]), sentence(one["remedy"]), "warning")
        for one in history["findings"]
    ]


def _unexplained(shares: Mapping[str, float]) -> list[Tile]:
    """What a loss is worth: beside what the model leaves, what next to nothing would leave."""
    own = {part: share for part, share in shares.items() if part != SAMPLE_BEFORE}
    if not own:
        return []
    best = min(own, key=own.__getitem__)
    before = shares.get(SAMPLE_BEFORE)
    beside = "" if before is None else f", the sample before {before:.1%}"
    return [Tile("Unexplained variance", f"{own[best]:.1%}", f"by the estimate {best}; the mean leaves 100%{beside}")]


def _asked(calibration: Mapping[str, Any]) -> str:
    asked = calibration["alerts_per_week"]
    return "" if asked is None else f"; {asked:g} asked for"


def _carried(document: Mapping[str, Any]) -> int:
    spec = document["spec"]
    carried: int = 8 * spec["window"] * (len(spec["channels"]) + 1) + document["history"]["carried_bytes"]
    return carried


def _recipe(trained: Trained) -> Section:
    document = trained.document
    spec, score, history = document["spec"], document["score"], document["history"]
    parts = ", ".join(f"{part['part']} ({part['kind']}, last {part['rows']})" for part in score["parts"])
    data = document["training_data"]
    pairs: list[tuple[str, Value]] = [
        ("bundle", Cell(printable(str(document["bundle"])), mono=True)),
        ("digest", Cell(document["digest"][:12], mono=True)),
        ("architecture", spec["architecture"]),
        ("window", _period(spec)),
        ("units, code", f"{spec['units']}, {spec['latent']}"),
        ("options", ", ".join(f"{name} {value}" for name, value in spec["options"].items()) or "none"),
        ("seed", str(spec["seed"])),
        ("gradients", history["clipping"]),
        ("score", parts),
        ("averaged over", ", ".join(map(str, score["scales"])) + " samples"),
        ("link", score["link"]),
        ("opens after", f"{document['calibration']['open_after']} samples above the threshold"),
        ("training data", Cell(str(data["sha256"])[:12], mono=True)),
        *(
            (f"memory of the {part}", _horizon(Horizon.from_dict(found), spec["period_seconds"]))
            for part, found in history["horizons"].items()
        ),
    ]
    return Section("recipe", "Recipe", [Facts(pairs)], lead="What was trained, and on what.")


def _horizon(horizon: Horizon, period_seconds: float | None) -> str:
    if not horizon.norms.any():
        return "depends on no input"
    reach = horizon.reach_5_percent
    if reach is None:
        return f"more than {len(horizon.norms) - 1} samples"
    time = "" if period_seconds is None else f" ({duration(reach * period_seconds)})"
    return f"{reach:.3g} samples{time} until 5% is left"


def _loss(history: Mapping[str, Any]) -> Section:
    epochs = history["epochs"]
    if not epochs:
        why = "The weights follow from the data in one step, so there are no epochs to follow."
        return Section("loss", "Loss", [Empty("Fitted in closed form", why)])
    caption = f"Mean squared error in scaled units. {sentence(history['message'])}"
    blocks: list[Block] = [Picture(as_item(losses(epochs, history["best_epoch"])), caption)]
    if names := list(epochs[-1]["measures"]):
        rows = [
            [name.replace("_", " "), *(_cell(epochs[place]["measures"][name]) for place in (0, -1))] for name in names
        ]
        blocks.append(Table(["measure", "first epoch", "last epoch"], rows))
    return Section("loss", "Loss", blocks)


def _gradients(history: Mapping[str, Any]) -> Section:
    epochs = history["epochs"]
    if not epochs:
        return Section("gradients", "Gradients", [Empty("No gradients", "A fit in closed form takes no steps.")])
    steps, clipped = (sum(epoch[name] for epoch in epochs) for name in ("steps", "clipped_steps"))
    bound = _bound(history["clipping"])
    share = f"{clipped / max(steps, 1):.0%} of {steps:,} steps were clipped ({history['clipping']})."
    pictures = Pair(
        [
            Picture(as_item(gradient_norms(epochs, bound, history["clipping"])), share),
            Picture(
                as_item(layer_norms(epochs)),
                "Norms that fall by orders of magnitude from the last layer to the first vanish on their way; norms "
                "that leap explode.",
            ),
        ]
    )
    rows = []
    for index, layer in enumerate(epochs[-1]["layers"]):
        course = [epoch["layers"][index] for epoch in epochs]
        rows.append(
            [
                Cell(layer["layer"], mono=True),
                "recurrent" if layer["recurrent"] else "",
                _cell(course[0]["before"]["median"]),
                _cell(layer["before"]["median"]),
                _cell(max(one["before"]["max"] for one in course)),
                _cell(layer["after"]["median"]),
            ]
        )
    head = ["layer", "", "median, first epoch", "median, last epoch", "largest", "median after clipping"]
    found: list[Block] = _findings(history) or [
        Note("Neither vanishing nor exploding gradients, and clipping does not set the pace", tone="good")
    ]
    return Section("gradients", "Gradients", [*found, pictures, Table(head, rows)])


def _bound(clipping: str) -> float | None:
    """The bound on the norm of all gradients together, where it is that which is bounded."""
    name, _, value = clipping.partition(" ")
    return float(value) if name == "global_clipnorm" else None


def _scores(trained: Trained) -> Section:
    calibration = trained.document["calibration"]
    threshold = calibration["threshold"]
    picture = Picture(
        as_item(score_histogram(trained.held_out.scores, threshold, title="Held-out scores")),
        "Both axes are logarithmic, so that what is rare can be seen as well. What lies far above the threshold may be "
        "faults in the training data.",
    )
    expected, incidents = calibration["expected_alerts_per_day"], calibration["held_out_incidents"]
    spot = calibration["spot"]
    pairs: list[tuple[str, Value]] = [
        ("threshold", f"{threshold:.6g}, by {calibration['method'].replace('_', ' ')}"),
        ("exceeded by", _odds(calibration["risk"])),
        ("held-out data", f"{duration(86_400 * calibration['held_out_days'])}, all series together"),
        ("scores looked at", f"{calibration['samples']:,}, {calibration['outliers']:,} left out as probable faults"),
        ("incidents in it", "not counted" if incidents is None else f"{incidents:,} at this threshold"),
        ("to expect", "unknown" if expected is None else f"{7 * expected:.2g} a week and series of normal operation"),
        ("asked for", _budget(calibration)),
        ("tail", "not fitted" if calibration["tail_shape"] is None else f"shape {calibration['tail_shape']:.3g}"),
        ("it moves", "no" if spot is None else ("dspot" if spot["depth"] else "spot") + ", with each series' scores"),
    ]
    quantiles = Table(
        ["share of held-out scores", "do not exceed", "times the threshold"],
        [
            [f"{100 * float(share):g}%", _cell(value), _cell(value / threshold)]
            for share, value in calibration["quantiles"].items()
        ],
    )
    lead = "How held-out data scores, and where the threshold lies among it."
    return Section("scores", "Scores and threshold", [picture, Pair([Facts(pairs), quantiles])], lead, short="Scores")


def _budget(calibration: Mapping[str, Any]) -> str:
    asked = calibration["alerts_per_week"]
    return "no alert budget" if asked is None else f"{asked:g} a week and series"


def _odds(risk: float) -> str:
    return f"one ordinary sample in {1 / risk:,.0f}" if risk > 0 else "no ordinary sample"


def _reconstructions(trained: Trained) -> Section:
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


def _channels(trained: Trained) -> Section:
    errors = zip(trained.document["spec"]["channels"], trained.held_out.channels, strict=True)
    worst = sorted(errors, key=lambda one: -(one[1].unexplained if math.isfinite(one[1].unexplained) else -1.0))
    rows = [
        [
            name,
            "does not move" if not math.isfinite(one.unexplained) else _share(one.unexplained),
            _cell(one.typical),
            _cell(one.rarely),
        ]
        for name, one in worst
    ]
    lead = (
        "The share of a channel's variance that the model leaves: near 0% it is known well, at 100% no better than by "
        "its mean, and more than that it is estimated worse. Errors are in the channel's own unit."
    )
    table = Table(["channel", "unexplained variance", "typical error", "99% are below"], rows)
    return Section("channels", "Channels", [table], lead)


def _series(trained: Trained) -> Section:
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
                _cell(one.median),
                _cell(one.highest),
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


def _cell(value: float) -> Cell:
    return Cell(number(value), number=True)
