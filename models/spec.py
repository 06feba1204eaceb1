"""What a model is, apart from its weights: enough to build it again and to know which windows fit it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.architectures import find
from models.architectures.options import complete
from models.errors import SpecError
from models.fields import integer, known_keys, mapping, number, optional_number, text, text_tuple
from models.shape import OptionValue

MAX_WINDOW = 4096
MAX_CHANNELS = 1024
MAX_UNITS = 2048
MAX_NAME = 1024
"""Characters of a channel's name, which is part of events and messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Architecture and shape of a model.

    Attributes:
        channels: Names of the channels, in the order of the last axis of a window.
        architecture: Name in the registry of ``models.architectures``.
        window: Samples in a window.
        period_seconds: Step of the regular event-time grid; ``None`` when windows count samples.
        units: Width of the recurrent layers.
        latent: Width of the code between encoder and decoder.
        dropout: Share of the encoder's inputs that training drops; 0 turns it off.
        seed: Seed of the initial weights, of dropout and of the order of the windows.
        options: What can be chosen of this architecture beyond its shape. Those that are not given have their defaults
            here, so that a bundle says what it was made with.

    Raises:
        SpecError: a value is out of range, or there is no such architecture or option; the message names it.
    """

    channels: tuple[str, ...]
    architecture: str = "lstm"
    window: int = 64
    period_seconds: float | None = None
    units: int = 64
    latent: int = 16
    dropout: float = 0.0
    seed: int = 0
    options: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.channels:
            raise SpecError("a model needs at least one channel")
        if len(self.channels) > MAX_CHANNELS:
            raise SpecError(f"{len(self.channels)} channels are too many; at most {MAX_CHANNELS} fit one model")
        if not all(self.channels):
            raise SpecError("a channel has an empty name")
        if odd := [name for name in self.channels if len(name) > MAX_NAME or not name.isprintable()]:
            raise SpecError(
                f"the channel name {odd[0][:60]!r} has more than {MAX_NAME} characters or one that cannot be printed"
            )
        if twice := sorted({name for name in self.channels if self.channels.count(name) > 1}):
            raise SpecError(f"two channels have the same name: {', '.join(twice)}")
        if not self.architecture:
            raise SpecError("architecture is empty")
        architecture = find(self.architecture)
        for name, low, high in (("window", 2, MAX_WINDOW), ("units", 1, MAX_UNITS), ("latent", 1, MAX_UNITS)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SpecError(f"{name} is {value}; it must be from {low} to {high}")
        if self.period_seconds is not None and not (math.isfinite(self.period_seconds) and self.period_seconds > 0):
            raise SpecError(f"period_seconds is {self.period_seconds}; it must be above 0, or null to count samples")
        if not 0 <= self.dropout < 1:
            raise SpecError(f"dropout is {self.dropout}; it must be from 0 to below 1")
        if not 0 <= self.seed < 2**32:
            raise SpecError(f"seed is {self.seed}; it must be from 0 to {2**32 - 1}")
        # The one place where a value of a frozen object is completed.
        object.__setattr__(self, "options", complete(self.architecture, architecture.options, self.options))
        if architecture.check is not None:
            architecture.check(self)

    @property
    def period_ns(self) -> int | None:
        """Step of the grid in nanoseconds."""
        return None if self.period_seconds is None else round(self.period_seconds * 1e9)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON; `from_dict` gives an equal specification back."""
        return dataclasses.asdict(self) | {"channels": list(self.channels), "options": dict(self.options)}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ModelSpec:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a key is unknown or missing, or a value has the wrong type or is out of range.
        """
        known_keys(data, {field.name for field in dataclasses.fields(cls)}, "model specification")
        return cls(
            channels=text_tuple(data, "channels"),
            architecture=text(data, "architecture"),
            window=integer(data, "window"),
            period_seconds=optional_number(data, "period_seconds"),
            units=integer(data, "units"),
            latent=integer(data, "latent"),
            dropout=number(data, "dropout"),
            seed=integer(data, "seed"),
            # Their types are checked by the architecture that they belong to.
            options=mapping(data, "options"),  # type: ignore[arg-type]
        )
