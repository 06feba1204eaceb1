"""Training as it goes, and the report at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from detector.cli.common.selection_report import print_selection
from detector.cli.models.horizon_report import summary
from detector.printable import printable
from models.horizon import Horizon
from models.outputs import RECONSTRUCTION, SAMPLE_BEFORE

if TYPE_CHECKING:
    from models.scores import ScoreRule
    from models.training import TrainedModel

_MISFITS_SHOWN = 10
_NAMED = 3
_BLOCKS = "▁▂▃▄▅▆▇█"


class EpochProgress:
    """A bar over the epochs on stderr; one line every few epochs where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("[bold]training[/] epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  held-out {task.fields[val_loss]}"),
            TextColumn("gradient {task.fields[norm]:.2f}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=1, epoch=0, epochs=0, loss=0.0, val_loss="-", norm=0.0)

    def __call__(self, epoch: int, epochs: int, batch: int, batches: int, logs: dict[str, float]) -> None:
        """Take note of a step; see `models.training.history.Progress`."""
        fields: dict[str, Any] = {
            "epoch": epoch, "epochs": epochs, "loss": logs["loss"], "norm": logs["gradient_norm"],
        }  # fmt: skip
        if "val_loss" in logs:
            fields["val_loss"] = f"{logs['val_loss']:.4f}"
            if not self._console.is_terminal and (epoch == 1 or epoch % 5 == 0):
                self._console.print(
                    f"  epoch {epoch}/{epochs}: loss {logs['loss']:.4f}, held-out {logs['val_loss']:.4f}"
                )
        self._bar.update(self._task, total=epochs * batches, completed=(epoch - 1) * batches + batch, **fields)

    def __enter__(self) -> EpochProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()


def as_document(trained: TrainedModel, out: Path | str, digest: str) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "bundle": str(out),
        "digest": digest,
        "spec": trained.spec.to_dict(),
        "score": score_document(trained.rule),
        "calibration": trained.calibration.to_dict(),
        "shortfall": trained.calibration.shortfall,
        "history": trained.history.to_dict(),
        "training_data": trained.training_data,
    }


def print_report(document: Mapping[str, Any], stream: TextIO, page: Path | None = None) -> None:
    """The report for people, on ``stream``; ``page`` is where it was written as a page, too."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    spec, history, calibration = document["spec"], document["history"], document["calibration"]
    epochs = history["epochs"]
    if history.get("selection") is not None:
        print_selection(console, history["selection"])
    period = "samples" if spec["period_seconds"] is None else f"samples of {spec['period_seconds']:g} s"
    console.print(
        f"[bold]{spec['architecture']}[/] on {_channels(spec['channels'])}, windows of {spec['window']} {period}, "
        f"{history['parameters']:,} parameters"
    )
    trained = f"trained {len(epochs)} {'epoch' if len(epochs) == 1 else 'epochs'}" if epochs else "fitted"
    console.print(
        f"{trained} in {history['seconds']:.0f} s on {history['training_windows']:,} windows, "
        f"{history['held_out_windows']:,} held out; {history['message']}"
    )
    if losses := [epoch["val_loss"] for epoch in epochs]:
        console.print(
            f"  held-out loss    {sparkline(losses)}  {losses[0]:.4f} -> {min(losses):.4f}"
            f" (epoch {history['best_epoch']})"
        )
    else:
        console.print(f"  held-out loss    {history['val_loss']:.4f}, training loss {history['loss']:.4f}")
    for name in epochs[-1]["measures"] if epochs else ():
        course = [epoch["measures"][name] for epoch in epochs]
        label = name.replace("_", " ")
        console.print(f"  {label:<16} {sparkline(course)}  {course[0]:.4g} -> {course[-1]:.4g}")
    _print_unexplained(console, history["unexplained"])
    _print_gradients(console, history)
    _print_misfits(console, history["misfits"])
    for part, found in history["horizons"].items():
        horizon = summary(Horizon.from_dict(found), spec["period_seconds"])
        console.print(f"  memory horizon   {part}: {horizon}")
    score = document["score"]
    parts = ", ".join(f"{part['part']} ({part['kind']}, {_rows(part['rows'])})" for part in score["parts"])
    console.print(f"  score            {parts}; {_scales(score['scales'])}; link {score['link']}")
    quantiles = ", ".join(f"{float(q) * 100:g}% {value:.2f}" for q, value in calibration["quantiles"].items())
    console.print(f"  held-out scores  {quantiles}")
    console.print(
        f"  threshold        [bold]{calibration['threshold']:.3f}[/] ({calibration['method'].replace('_', ' ')}; "
        f"{_odds(calibration['risk'])}; from {calibration['samples']:,} held-out scores)"
    )
    if (spot := calibration["spot"]) is not None:
        console.print(
            f"  it moves         with the {'tail and level' if spot['depth'] else 'tail'} of each series' own scores "
            f"({'dspot' if spot['depth'] else 'spot'}); events give scores on the scale of the number above"
        )
    expected = calibration["expected_alerts_per_day"]
    if expected is not None:
        console.print(f"  expected alerts  {7 * expected:.2g} a week and series of normal operation")
    if document["shortfall"] is not None:
        console.print(f"  [yellow]alert budget[/]     {escape(document['shortfall'])}")
    window_bytes = 8 * spec["window"] * (len(spec["channels"]) + 1)
    console.print(
        f"  each series      takes some {window_bytes + history['carried_bytes']:,} bytes in a worker and on the state "
        f"topic: its window {window_bytes:,}, carried along {history['carried_bytes']:,}"
    )
    console.print(f"bundle [bold]{escape(document['bundle'])}[/] ({document['digest'][:12]})")
    if page is not None:
        console.print(f"report [bold]{escape(str(page))}[/]")


def score_document(rule: ScoreRule) -> dict[str, Any]:
    """How windows are scored, as plain values."""
    return {
        "parts": [{"part": part.part, "kind": part.kind, "rows": part.tail} for part in rule.parts],
        "scales": list(rule.scales),
        "link": rule.link,
    }


def _rows(count: int) -> str:
    return "last row" if count == 1 else f"last {count} rows"


def _scales(scales: Sequence[int]) -> str:
    """The numbers of samples that errors are averaged over, as people say it."""
    if list(scales) == [1]:
        return "not smoothed"
    *first, last = map(str, scales)
    return f"averaged over {', '.join(first)} and {last} samples" if first else f"averaged over {last} samples"


def _print_unexplained(console: Console, shares: Mapping[str, float]) -> None:
    """What a loss is worth: beside what the model leaves, what next to nothing would leave."""
    own = [f"{part} {share:.1%}" for part, share in shares.items() if part != SAMPLE_BEFORE]
    if not own:
        return
    # What is rebuilt from a narrow code, the row itself included, is another matter than what is expected beforehand.
    before = shares.get(SAMPLE_BEFORE) if shares.keys() - {RECONSTRUCTION, SAMPLE_BEFORE} else None
    beside = "" if before is None else f", the {SAMPLE_BEFORE} {before:.1%}"
    console.print(f"  unexplained      {', '.join(own)} of the held-out variance (the mean leaves 100%{beside})")


def _odds(risk: float) -> str:
    """The share of ordinary samples above the threshold, as people say it."""
    return f"exceeded by one ordinary sample in {1 / risk:,.0f}" if risk > 0 else "exceeded by no ordinary sample"


def _print_misfits(console: Console, misfits: Sequence[Mapping[str, Any]]) -> None:
    """Series that one model for all does not serve."""
    for misfit in misfits[:_MISFITS_SHOWN]:
        effect = "it would alarm too often" if misfit["kind"] == "noisy" else "its faults would be found late or not"
        name = escape(printable(misfit["series"]))
        console.print(
            f"  [yellow]unlike the rest[/]  {name}: scores {misfit['ratio']:.2g} times the usual, {effect}; "
            "give it a model of its own"
        )
    if len(misfits) > _MISFITS_SHOWN:
        console.print(f"  and {len(misfits) - _MISFITS_SHOWN} more; --json tells them all")


def _print_gradients(console: Console, history: Mapping[str, Any]) -> None:
    """Gradient norms, as a whole and by layer, and what is wrong with them."""
    epochs = history["epochs"]
    if not epochs:
        return
    norms = [epoch["gradient_norm"]["median"] for epoch in epochs]
    clipped = [epoch["clipped_norm"]["median"] for epoch in epochs]
    share = sum(epoch["clipped_steps"] for epoch in epochs) / max(sum(epoch["steps"] for epoch in epochs), 1)
    largest = max(epoch["gradient_norm"]["max"] for epoch in epochs)
    bound = max(epoch["clipped_norm"]["max"] for epoch in epochs)
    console.print(f"  gradient norm    {sparkline(norms)}  median {norms[-1]:.3g}, largest {largest:.3g}")
    console.print(
        f"  after clipping   {sparkline(clipped)}  largest {bound:.3g}; {share:.0%} of the steps were clipped "
        f"({history['clipping']})"
    )
    names = [layer["layer"] for layer in epochs[-1]["layers"]]
    width = max(map(len, names))
    for number, name in enumerate(names):
        course = [epoch["layers"][number]["before"]["median"] for epoch in epochs]
        largest = max(epoch["layers"][number]["before"]["max"] for epoch in epochs)
        console.print(
            f"    {escape(name):<{width}} {sparkline(course)}  median {course[-1]:.3g}, largest {largest:.3g}"
        )
    for finding in history["findings"]:
        console.print(f"  [yellow]{finding['kind'].replace('_', ' ')}[/]: {escape(finding['message'])}")
        console.print(f"    remedy: {escape(finding['remedy'])}")


def sparkline(values: Sequence[float]) -> str:
    """Values as a row of blocks, from the least to the greatest."""
    finite = [value for value in values if value == value]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    return "".join(
        _BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] if value == value else " " for value in values
    )


def _channels(names: Sequence[str]) -> str:
    """How many, and enough of the names to see whether they are those that were meant."""
    shown = ", ".join(escape(printable(name)) for name in names[:_NAMED])
    more = ", …" if len(names) > _NAMED else ""
    return f"{len(names)} {'channel' if len(names) == 1 else 'channels'} ({shown}{more})"
