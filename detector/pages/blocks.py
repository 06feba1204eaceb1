"""What a report consists of: plain values that a template lays out. Text is text: every character is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from detector.pages.packing import Packed

Tone: TypeAlias = Literal["critical", "warning", "info", "good", "plain"]
Height: TypeAlias = Literal["s", "m", "l", "xl"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, or a value among facts, that is more than text.

    Attributes:
        text: What it says.
        number: Set flush right, digits below each other.
        mono: An id, a command, a path.
        share: From 0 to 1; drawn as a bar before the text.
        tone: Shown as a badge of this tone.
        href: Where it leads; an address within the page, or of this project.
    """

    text: str
    number: bool = False
    mono: bool = False
    share: float | None = None
    tone: Tone | None = None
    href: str | None = None


Value: TypeAlias = str | Cell


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that matters.

    Attributes:
        label: What it is.
        value: The figure, with its unit.
        detail: What to compare it with.
        tone: Marks it.
    """

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Tiles:
    """Figures beside each other."""

    tiles: Sequence[Tile]
    block: str = field(default="tiles", init=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, in columns as there is room."""

    pairs: Sequence[tuple[str, Value]]
    block: str = field(default="facts", init=False)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a head.

    Attributes:
        head: Name of each column.
        rows: As many values each.
        caption: What it shows; may be empty.
        chosen: Rows, by index, that stand out.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""
    chosen: frozenset[int] = frozenset()
    block: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    block: str = field(default="text", init=False)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the reader should not miss, with what to do about it."""

    title: str
    text: str = ""
    remedy: str = ""
    tone: Tone = "info"
    block: str = field(default="note", init=False)


@dataclass(frozen=True, slots=True)
class Code:
    """A command to copy, or the like."""

    text: str
    block: str = field(default="code", init=False)


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands where there is nothing to show: why there is not."""

    title: str
    text: str = ""
    block: str = field(default="empty", init=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        item: What ``detector.pictures.as_item`` made of it, packed or not.
        caption: What it shows, for those who cannot see it too.
        height: About how much room it takes before it is drawn.
    """

    item: Mapping[str, Any] | Packed
    caption: str = ""
    height: Height = "m"
    block: str = field(default="picture", init=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """Blocks that stand beside each other where there is room."""

    blocks: Sequence[Block]
    block: str = field(default="pair", init=False)


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are folded away below a line until somebody wants them.

    Attributes:
        name: The fragment of the address that leads to it, such as ``incident-99ac...``; unique in the page.
        title: What it is about.
        blocks: What is in it; pictures are drawn once it is open.
        badge: Stands before the title.
        facts: Short texts after the title.
        open: Whether it begins open.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    badge: Cell | None = None
    facts: Sequence[str] = ()
    open: bool = False
    block: str = field(default="fold", init=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the folds of a `Finder`.

    Attributes:
        fold: What it shows.
        text: What it is found by, besides its title and facts.
        choice: Which of the finder's choices it belongs to.
        keys: What it is sorted by, one number for each of the finder's orders.
    """

    fold: Fold
    text: str
    choice: str
    keys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Finder:
    """Folds that are searched, chosen and sorted by the reader; what was chosen is kept in the page's address.

    Attributes:
        name: Unique in the page.
        entries: In the first order, if nobody asks for another.
        choices: Kinds of entries that can be switched off, each with its tone.
        orders: Names of orders; each has the greatest key first.
        hint: What one can search for.
        noun: What an entry is.
        nouns: What several are.
    """

    name: str
    entries: Sequence[Entry]
    choices: Sequence[tuple[str, Tone]]
    orders: Sequence[str]
    hint: str
    noun: str
    nouns: str
    block: str = field(default="finder", init=False)


Block: TypeAlias = Tiles | Facts | Table | Text | Note | Code | Empty | Picture | Pair | Fold | Finder


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report that the navigation leads to.

    Attributes:
        name: The fragment of its address; unique in the page.
        title: Its heading.
        blocks: One below the other.
        lead: What it shows and how to read it; may be empty.
        short: Its name in the navigation; the heading without it.
        plain: Without a frame around it.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""
    short: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A page that needs nothing but itself.

    Attributes:
        title: Of the page.
        subtitle: One sentence on what it tells of.
        sections: In order.
        made: When and by what it was made, for the foot of the page.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    made: str = ""
