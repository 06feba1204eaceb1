"""A model that training goes on from, in place of initial weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from models.architectures import find
from models.errors import SpecError
from models.scaling import Scaler
from models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Start:
    """What training goes on from.

    Attributes:
        spec: Of the model.
        model: The Keras model.
        scaler: What its inputs were scaled by; weights mean nothing in other units.
    """

    spec: ModelSpec
    model: Any
    scaler: Scaler

    def check(self, spec: ModelSpec) -> None:
        """Make sure that a model of a specification can begin with these weights.

        Raises:
            SpecError: it cannot; the message says why.
        """
        check_resumable(self.spec)
        names = [field.name for field in dataclasses.fields(spec) if field.name not in ("seed", "dropout")]
        if other := [name for name in names if getattr(spec, name) != getattr(self.spec, name)]:
            told = ", ".join(
                f"{name} {getattr(self.spec, name)!r} rather than {getattr(spec, name)!r}" for name in other
            )
            raise SpecError(
                f"training cannot go on from a model of another shape: it has {told[:300]}; train from new weights"
            )


def check_resumable(spec: ModelSpec) -> None:
    """Make sure that training can go on from a model of this architecture.

    Raises:
        SpecError: it cannot.
    """
    if not find(spec.architecture).resumable:
        raise SpecError(
            f"training cannot go on from the weights of architecture {spec.architecture}, which is fitted as a whole; "
            "train it from new weights (without --fine-tune)"
        )
