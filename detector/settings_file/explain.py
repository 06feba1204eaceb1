"""Pydantic's findings in words that say what to do."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from detector.settings_file.document import Document
from detector.settings_file.problems import Key, Place, Problem, did_you_mean
from detector.settings_file.tree import Kind, field_at, kind_of, section_at

_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(error: ValidationError, document: Document, source: str) -> list[Problem]:
    """A problem for each finding, except where the document already has one for that key.

    Args:
        error: From validating the document's data.
        document: Knows where everything stands.
        source: Name of the file.
    """
    known = {problem.key for problem in document.problems}
    problems = []
    for finding in error.errors(include_url=False):
        key = _within_settings(finding["loc"])
        # Pydantic counts an item that is wrong as absent, too.
        if key not in known and not (finding["type"] == "too_short" and finding["input"]):
            problems.append(Problem(place_of(key, document, source), key, _message(finding, key)))
    return problems


def place_of(key: Key, document: Document, source: str) -> Place:
    """Where a key stands; for one that is missing, where the section that lacks it begins."""
    for length in range(len(key), -1, -1):
        place = document.places.get(key[:length])
        if place is not None:
            return place
    return Place(source)


def _within_settings(loc: tuple[int | str, ...]) -> Key:
    """The key without the names that pydantic adds for the members of unions."""
    key: Key = ()
    for part in loc:
        if part == "[key]" or (key and field_at((*key, part)) is None and _is_plain(key)):
            break
        key = (*key, part)
    return key


def _is_plain(key: Key) -> bool:
    field = field_at(key)
    if field is None:
        return False
    kind = kind_of(field)
    return kind.section is None and not kind.is_list and not kind.is_table


def _message(finding: ErrorDetails, key: Key) -> str:
    kind_of_error, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    field = field_at(key)
    kind = kind_of(field) if field is not None else Kind()
    if kind_of_error == "value_error":
        return str(context["error"])
    if kind_of_error == "extra_forbidden":
        section = section_at(key[:-1])
        return f"there is no such setting; {did_you_mean(str(key[-1]), section.model_fields if section else ())}"
    if kind_of_error == "missing":
        return f"is missing; add it: {_first_sentence(field.description if field is not None else None)}"
    if value is None:
        remove = "" if field is not None and field.is_required() else ", or remove the line"
        return f"is empty; give it {_expected(kind, key)}{remove}"
    if kind_of_error == "literal_error":
        choices = [str(choice) for choice in kind.choices]
        quotes = ", in quotes" if isinstance(value, bool) else ""
        return f"{_shown(value, kind)}is not one of {', '.join(choices)}; {_choose(value, choices)}{quotes}"
    if kind_of_error in _LIMITS:
        words, name = _LIMITS[kind_of_error]
        return f"{_shown(value, kind)}is out of range; write a number that is {words} {context[name]:g}"
    if kind_of_error == "too_short":
        return "is empty; write at least one item"
    if kind_of_error == "too_long":
        return f"holds {context['actual_length']}; at most {context['max_length']}"
    if kind_of_error == "string_too_short":
        return "is empty; write some text"
    if kind_of_error == "string_pattern_mismatch":
        rule = (field.description if field is not None else None) or f"it must match {context['pattern']}"
        return f"{_shown(value, kind)}is not allowed; write {rule[0].lower()}{rule[1:].rstrip('.').replace('; ', ', ')}"
    return f"{_shown(value, kind)}is not {_expected(kind, key)}; {_remedy(value, kind, key)}"


def _choose(value: Any, choices: list[str]) -> str:
    hint = did_you_mean(str(value).upper() if choices[0].isupper() else str(value).lower(), choices)
    return hint if hint.startswith("did") else "write one of these"


def _first_sentence(description: str | None) -> str:
    sentence = re.split(r"[.;](?:\s|$)", description or "it is required", maxsplit=1)[0]
    return sentence.replace("\n", " ").replace("``", "'")


def _shown(value: Any, kind: Kind) -> str:
    """The value, for messages; nothing for a secret, nor for a whole section, which may hold one."""
    if kind.secret or kind.section is not None or isinstance(value, dict | list | tuple):
        return ""
    if isinstance(value, bool):
        return f"{'true' if value else 'false'} "
    text = str(value)
    return f"{text[:60]!r} " if isinstance(value, str) else f"{text[:60]} "


def _expected(kind: Kind, key: Key) -> str:
    if kind.is_list and not isinstance(key[-1], int):
        return "a list"
    if kind.section is not None:
        return "a section"
    if kind.is_table:
        return "a table of names" if isinstance(key[-1], str) and field_at(key) is not None else "text"
    if kind.scalar is bool:
        return "true or false"
    if kind.scalar is int:
        return "a whole number"
    if kind.scalar is float:
        return "a duration" if str(key[-1]).endswith("_seconds") else "a number"
    return "a path" if kind.path else "text"


def _remedy(value: Any, kind: Kind, key: Key) -> str:
    expected = _expected(kind, key)
    if expected == "text":
        return "put it in quotes" if not isinstance(value, dict | list) else "write a single value"
    return {
        "a list": "write [first, second], or one item a line, each after '- '",
        "a section": "write its settings below it, each indented on a line of its own",
        "a table of names": "write 'name: value' lines below it, each indented",
        "true or false": "write true or false",
        "a whole number": "write digits only",
        "a duration": "write seconds, or text such as 90s, 5m, 1h30m, 7d",
        "a number": "write a number such as 0.5",
        "a path": "write the name of a file or directory",
    }[expected]
