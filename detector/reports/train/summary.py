"""The training at a glance, and its recipe, a section each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Block, Cell, Facts, Note, Section, Tile, Tiles, Value
from detector.pictures.words import duration, number, sentence
from detector.printable import printable
from detector.reports.train.cells import windows
from detector.reports.train.fitting import findings
from detector.reports.train.trained import Trained
from models.horizon import Horizon
from models.outputs import SAMPLE_BEFORE


def summary_section(trained: Trained) -> Section:
    """The figures that matter, and what was found wrong."""
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
    notes += findings(history)
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


def recipe_section(trained: Trained) -> Section:
    """What was trained, and on what."""
    document = trained.document
    spec, score, history = document["spec"], document["score"], document["history"]
    parts = ", ".join(f"{part['part']} ({part['kind']}, last {part['rows']})" for part in score["parts"])
    data = document["training_data"]
    pairs: list[tuple[str, Value]] = [
        ("bundle", Cell(printable(str(document["bundle"])), mono=True)),
        ("digest", Cell(document["digest"][:12], mono=True)),
        ("architecture", spec["architecture"]),
        ("window", windows(spec)),
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
