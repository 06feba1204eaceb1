"""How the fit went: loss and gradients, a section each; both take `models.training.history` as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.pages.blocks import Block, Cell, Empty, Note, Pair, Picture, Section, Table
from detector.pictures import as_item, gradient_norms, layer_norms, losses
from detector.pictures.words import sentence
from detector.reports.train.cells import figure

_NAMES = {
    "exploding": "Gradients explode",
    "vanishing": "Gradients vanish",
    "clipped": "Clipping sets the pace",
    "short_memory": "The memory is short",
}


def loss_section(history: Mapping[str, Any]) -> Section:
    """Loss by epoch, and what else was measured."""
    epochs = history["epochs"]
    if not epochs:
        why = "The weights follow from the data in one step, so there are no epochs to follow."
        return Section("loss", "Loss", [Empty("Fitted in closed form", why)])
    caption = f"Mean squared error in scaled units. {sentence(history['message'])}"
    blocks: list[Block] = [Picture(as_item(losses(epochs, history["best_epoch"])), caption)]
    if names := list(epochs[-1]["measures"]):
        rows = [
            [name.replace("_", " "), *(figure(epochs[place]["measures"][name]) for place in (0, -1))] for name in names
        ]
        blocks.append(Table(["measure", "first epoch", "last epoch"], rows))
    return Section("loss", "Loss", blocks)


def gradients_section(history: Mapping[str, Any]) -> Section:
    """Norms of gradients, all together and by layer, and what is wrong with them."""
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
                figure(course[0]["before"]["median"]),
                figure(layer["before"]["median"]),
                figure(max(one["before"]["max"] for one in course)),
                figure(layer["after"]["median"]),
            ]
        )
    head = ["layer", "", "median, first epoch", "median, last epoch", "largest", "median after clipping"]
    found: list[Block] = findings(history) or [
        Note("Neither vanishing nor exploding gradients, and clipping does not set the pace", tone="good")
    ]
    return Section("gradients", "Gradients", [*found, pictures, Table(head, rows)])


def findings(history: Mapping[str, Any]) -> list[Block]:
    """What is wrong with the gradients, a note each."""
    return [
        Note(_NAMES.get(one["kind"], one["kind"]), sentence(one["message"]), sentence(one["remedy"]), "warning")
        for one in history["findings"]
    ]


def _bound(clipping: str) -> float | None:
    """The bound on the norm of all gradients together, where it is that which is bounded."""
    name, _, value = clipping.partition(" ")
    return float(value) if name == "global_clipnorm" else None
