"""Taking expressions of PromQL apart, so that each side of a comparison can be asked for by itself.

An alert's expression is empty while all is well, and a wrong name in it is empty for ever; without its comparisons the
two differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\s+ | \#[^\n]* | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*`
    | [0-9][0-9a-zA-Z_.]* | [a-zA-Z_:][a-zA-Z0-9_:.]* | \.[0-9]+
    | == | != | <= | >= | =~ | !~ | [<>=+\-*/%^@,(){}\[\]]""",
    re.VERBOSE,
)
_OPENING, _CLOSING = "({[", ")}]"
_COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
_SETS = {"and", "or", "unless"}
_MATCHING = {"on", "ignoring", "group_left", "group_right"}
_GROUPING = {"by", "without"}
_ABSENCE = {"absent", "absent_over_time"}
_WORDS = _SETS | _MATCHING | _GROUPING | {"bool", "offset", "inf", "nan", "start", "end"}
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

Tokens = list[str]


def tokens(expression: str) -> Tokens:
    """The parts of an expression, without white space and comments."""
    found, at = [], 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        assert match is not None, f"not PromQL at {expression[at : at + 20]!r}: {expression}"
        at = match.end()
        if not match[0].isspace() and not match[0].startswith("#"):
            found.append(match[0])
    return found


def operands(expression: str) -> list[str]:
    """What an expression compares and combines, down to parts without comparisons, each an expression.

    Of ``a > 1 unless b == 0`` these are a, 1, b and 0; of ``count(a > 1)`` they are count(a), a and 1; of ``absent(a)``
    it is a, since the whole is empty as long as all is well.
    """
    return list(dict.fromkeys(" ".join(part) for part in _operands(tokens(expression))))


def _operands(parts: Tokens) -> Iterator[Tokens]:
    if parts[-1] == "]":  # a subquery: what it is made of
        parts = parts[: max(at for at, part in enumerate(parts) if part == "[")]
    for kind in (_SETS, _COMPARISONS):
        split = _split(parts, kind)
        if len(split) > 1:
            for part in split:
                yield from _operands(part)
            return
    if parts[0] == "(" and _end(parts, 0) == len(parts) - 1:
        yield from _operands(parts[1:-1])
        return
    yield _reduced(parts)
    for group in _groups(parts):
        if _decides(group):
            yield from _operands(group)


def _reduced(parts: Tokens) -> Tokens:
    """The expression with the left side of all that it compares and combines, and what it looks for in vain."""
    for kind in (_SETS, _COMPARISONS):
        parts = _split(parts, kind)[0]
    found: Tokens = []
    at = 0
    while at < len(parts):
        if parts[at] == "(" and not (at > 0 and parts[at - 1] in _GROUPING | _MATCHING):
            end = _end(parts, at)
            arguments = [_reduced(argument) for argument in _split(parts[at + 1 : end], {","})]
            found += ["(", *arguments[0]]
            for argument in arguments[1:]:
                found += [",", *argument]
            found.append(")")
            at = end
        elif parts[at] in _OPENING:
            end = _end(parts, at)
            found += parts[at : end + 1]
            at = end
        elif parts[at] not in _ABSENCE:
            found.append(parts[at])
        at += 1
    return found


def _split(parts: Tokens, operators: set[str]) -> list[Tokens]:
    """Parts between operators outside of all brackets, without ``bool`` and rules for matching behind the operator."""
    found: list[Tokens] = [[]]
    at = 0
    while at < len(parts):
        if parts[at] in _OPENING:
            end = _end(parts, at)
            found[-1] += parts[at : end + 1]
            at = end + 1
            continue
        if parts[at] not in operators:
            found[-1].append(parts[at])
            at += 1
            continue
        found.append([])
        at += 1
        while at < len(parts) and parts[at] in _MATCHING | {"bool"}:
            matching = parts[at] != "bool"
            at += 1
            if matching and parts[at] == "(":
                at = _end(parts, at) + 1
    return found


def _end(parts: Tokens, start: int) -> int:
    """Where the bracket that opens at ``start`` closes."""
    depth = 0
    for at in range(start, len(parts)):
        depth += (parts[at] in _OPENING) - (parts[at] in _CLOSING)
        if depth == 0:
            return at
    raise AssertionError(f"a bracket does not close: {' '.join(parts)}")


def _groups(parts: Tokens) -> Iterator[Tokens]:
    """Arguments in round brackets outside of all others; lists of labels are none."""
    at = 0
    while at < len(parts):
        if parts[at] in _OPENING:
            end = _end(parts, at)
            labels = at > 0 and parts[at - 1] in _GROUPING | _MATCHING
            if parts[at] == "(" and not labels:
                yield from (argument for argument in _split(parts[at + 1 : end], {","}) if argument)
            at = end
        at += 1


def _decides(parts: Tokens) -> bool:
    """Whether anything in it is compared, combined or looked for in vain."""
    depth = 0
    for at, part in enumerate(parts):
        depth += (part == "{") - (part == "}")
        if depth == 0 and (part in _COMPARISONS | _SETS or (part in _ABSENCE and parts[at + 1] == "(")):
            return True
    return False


def metric_names(expression: str) -> set[str]:
    """Names of metrics in an expression, those of recording rules among them."""
    parts, names = tokens(expression), set()
    skip_until = -1
    for at, part in enumerate(parts):
        following = parts[at + 1] if at + 1 < len(parts) else ""
        if part in _GROUPING | _MATCHING and following == "(":
            skip_until = _end(parts, at + 1)
        elif part in ("{", "["):
            skip_until = max(skip_until, _end(parts, at))
        elif at <= skip_until or following == "(" or not _NAME.fullmatch(part):
            continue
        elif part.lower() not in _WORDS and following not in _GROUPING:
            # An aggregation may name its labels first: sum by (job) (x).
            names.add(part)
    names |= set(re.findall(r'__name__\s*=\s*"([^"]*)"', expression))
    return names
