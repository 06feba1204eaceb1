"""The tables of ``docs/configuration.md``: run ``python -m detector.settings_file.reference docs/configuration.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import annotated_types
from pydantic.fields import FieldInfo

from detector.settings import Section, Settings
from detector.settings_file.problems import Key, key_text
from detector.settings_file.tree import kind_of
from detector.settings_file.values import default_of

_BLOCK = re.compile(r"(<!-- settings:[^>]*-->\n).*?(\n<!-- end of settings -->)", re.DOTALL)
_WORDS: dict[type, tuple[str, str]] = {
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Ge: ("ge", ">="),
    annotated_types.Lt: ("lt", "<"),
    annotated_types.Le: ("le", "<="),
}


def settings_tables() -> str:
    """A Markdown table for each section, in the order of the file."""
    return "\n".join(_tables(Settings, ())).strip() + "\n"


def with_tables(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: the page lacks the comments between which they stand.
    """
    page, count = _BLOCK.subn(lambda match: f"{match[1]}\n{settings_tables()}{match[2]}", page)
    if count != 1:
        raise ValueError("the page needs one '<!-- settings: ... -->' and one '<!-- end of settings -->'")
    return page


def _tables(model: type[Section], under: Key) -> Iterator[str]:
    sections: list[tuple[Key, type[Section]]] = []
    rows = []
    for name, field in model.model_fields.items():
        kind = kind_of(field)
        if kind.section is None:
            rows.append(f"| `{name}` | {_type(field, name)} | {_default(field, name)} | {_description(field)} |")
        else:
            sections.append(((*under, name), kind.section))
    if rows:
        yield f"### `{key_text(under)}`\n"
        yield f"{_one_line(model.__doc__ or '')}\n"
        yield "| setting | type | default | meaning |\n|---|---|---|---|"
        yield from rows
        yield ""
    for key, section in sections:
        yield from _tables(section, key)


def _type(field: FieldInfo, name: str) -> str:
    kind = kind_of(field)
    if kind.choices:
        return " \\| ".join(f"`{choice}`" for choice in kind.choices)
    if kind.is_list:
        return "list of text"
    if kind.is_table:
        return "table of text"
    if name.endswith("_seconds"):
        return "duration"
    words = "path" if kind.path else "secret" if kind.secret else ""
    words = words or {bool: "true or false", int: "whole number", float: "number"}.get(kind.scalar or str, "text")
    limits = [_limit(limit) for limit in _metadata(field) if type(limit) in _WORDS]
    return " ".join([words, *([", ".join(limits)] if limits else [])])


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """What narrows a field's type, also where it stands inside of ``… | None``."""
    yield from field.metadata
    for part in get_args(field.annotation):
        for extra in getattr(part, "__metadata__", ()):
            yield from extra.metadata if isinstance(extra, FieldInfo) else [extra]


def _limit(limit: Any) -> str:
    attribute, sign = _WORDS[type(limit)]
    return f"{sign} {getattr(limit, attribute):g}"


def _default(field: FieldInfo, name: str) -> str:
    text = default_of(field, name)
    if text is None:
        return "required" if field.is_required() else "name of the host"
    return "none" if text == "null" else f"`{text}`"


def _description(field: FieldInfo) -> str:
    return _one_line(field.description or "").replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def main(arguments: list[str]) -> None:
    """Rewrite the tables of the page named on the command line, or print them."""
    if not arguments:
        sys.stdout.write(settings_tables())
        return
    page = Path(arguments[0])
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
