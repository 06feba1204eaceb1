"""Options of an architecture: their names, defaults and ranges, and how given values are checked against them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.errors import SpecError
from models.shape import OptionValue


def _plain(number: float) -> str:
    """A bound as people write it: 1,000,000 rather than 1e+06."""
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. The type of its default is its type.

    Attributes:
        name: As in a specification and on the command line.
        default: What holds when nobody says.
        help: What it does, for people; a clause without a full stop.
        low: Least number; ``None`` where there is none to respect.
        high: Greatest number.
        choices: The texts that it may be.
    """

    name: str
    default: OptionValue
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What it may be, for people."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return ", ".join(self.choices)
        kind = "an integer" if isinstance(self.default, int) else "a number"
        low, high = self.low, self.high
        if low is not None and high is not None:
            return f"{kind} from {_plain(low)} to {_plain(high)}"
        return kind if low is None else f"{kind} of at least {_plain(low)}"

    def checked(self, value: object) -> OptionValue:
        """The value in the option's own type.

        Raises:
            SpecError: it is of another type, or out of range.
        """
        found: OptionValue | None = None
        if isinstance(self.default, bool | str):
            if type(value) is type(self.default) and (not self.choices or value in self.choices):
                found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = self._number(value)
        if found is None:
            raise SpecError(f"option {self.name} is {value!r:.60}; it must be {self.range}")
        return found

    def _number(self, value: float) -> int | float | None:
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the range of float
            return None
        low, high = self.low, self.high
        if not math.isfinite(number) or (low is not None and number < low) or (high is not None and number > high):
            return None
        if isinstance(self.default, int):
            return value if isinstance(value, int) else None
        return number

    def parsed(self, text: str) -> OptionValue:
        """The value that a text on the command line means.

        Raises:
            SpecError: it means none, or one out of range.
        """
        value: object = text
        try:
            if isinstance(self.default, bool):
                value = {"true": True, "false": False}[text.lower()]
            elif isinstance(self.default, int):
                value = int(text)
            elif isinstance(self.default, float):
                value = float(text)
        except (KeyError, ValueError):
            pass  # the text itself is refused below
        return self.checked(value)


def complete(owner: str, options: Sequence[Option], given: Mapping[str, object]) -> dict[str, OptionValue]:
    """All options in their order: as given where they are, else their defaults.

    Args:
        owner: Name of the architecture, for messages.
        options: What it has.
        given: Values by name.

    Raises:
        SpecError: it has no option of that name, or a value is out of range; the message names the choices.
    """
    _refuse_unknown(owner, options, given)
    return {option.name: option.checked(given.get(option.name, option.default)) for option in options}


def parse(owner: str, options: Sequence[Option], texts: Sequence[str]) -> dict[str, OptionValue]:
    """Options as the command line gives them, ``name=value`` each.

    Args:
        owner: Name of the architecture, for messages.
        options: What it has.
        texts: What was given.

    Raises:
        SpecError: a text has no ``=``, a name is unknown or comes twice, or a value is out of range.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and name and value):
            raise SpecError(f"the option {text!r:.60} is not of the form name=value")
        if name in given:
            raise SpecError(f"option {name} is given twice")
        given[name] = value
    _refuse_unknown(owner, options, given)
    by_name = {option.name: option for option in options}
    return {name: by_name[name].parsed(value) for name, value in given.items()}


def _refuse_unknown(owner: str, options: Sequence[Option], given: Mapping[str, object]) -> None:
    known = {option.name for option in options}
    if unknown := sorted(set(given) - known):
        choices = f"choose among: {', '.join(sorted(known))}" if known else "it has none"
        raise SpecError(f"{owner} has no option {unknown[0][:60]!r}; {choices}")
