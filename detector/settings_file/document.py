"""A YAML file as plain data, with the line of every value.

PyYAML's loader alone would keep the last of two equal keys silently and forget where values came from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from detector.settings_file.problems import Key, Place, Problem

MAX_BYTES = 1_048_576
# An alias may be used many times, and aliases of aliases multiply: ten lines can spell a billion values.
_MAX_VALUES = 100_000
_MAX_DEPTH = 50
_MERGE_TAG = "tag:yaml.org,2002:merge"
# $${ is a literal ${
_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\$\{)")


@dataclass(slots=True)
class Document:
    """A settings file.

    Attributes:
        data: Plain data; what could not be read is left out.
        places: Key -> where it stands.
        problems: What could not be read.
    """

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse_document(text: str, source: str, env: Mapping[str, str]) -> Document:
    """Read YAML, with ``${VARIABLE}`` and ``${VARIABLE:-default}`` in its values replaced from the environment.

    Args:
        text: Of the file.
        source: Name of the file for messages.
        env: The environment.
    """
    reader = _Reader(source, env)
    try:
        reader.loader = yaml.SafeLoader(text)
        node = reader.loader.get_single_node()
        data = reader.read(node, ()) if node is not None else None
        if isinstance(data, dict):
            reader.document.data = data
        elif node is not None and data is not None:
            reader.problem(node, (), "the file is not a mapping; write settings as 'key: value' lines")
    except yaml.MarkedYAMLError as error:
        reader.document.problems.append(_syntax_problem(error, source))
    except yaml.reader.ReaderError as error:
        place = Place(source, text.count("\n", 0, error.position) + 1)
        message = f"the character U+{error.character:04X} is not allowed in YAML; remove it"
        reader.document.problems.append(Problem(place, (), message))
    except (_TooLargeError, RecursionError):
        message = "nested too deeply, or too many values through aliases; write it out plainly"
        reader.document.problems.append(Problem(Place(source), (), message))
    return reader.document


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(source, mark.line + 1 if mark is not None else 0)
    if isinstance(error, yaml.composer.ComposerError) and "alias" in (error.problem or ""):
        # PyYAML's own text would quote the name, and that may be an unquoted password.
        message = "an alias (*name) without its anchor; put text that begins with '*' in quotes"
    elif isinstance(error, yaml.composer.ComposerError):
        message = "a second YAML document begins here; a settings file holds one"
    else:
        problem = re.sub(r"'[^']{3,}'", "text", error.problem or "cannot be read")
        message = f"not YAML ({problem}); check indentation, colons and quotes here and on the line before"
    return Problem(place, (), message)


class _TooLargeError(Exception):
    """Aliases make the document larger than any settings file is."""


class _Reader:
    """Walks the nodes of one document."""

    loader: yaml.SafeLoader

    def __init__(self, source: str, env: Mapping[str, str]) -> None:
        self.document = Document()
        self._source = source
        self._env = env
        self._values = 0

    def problem(self, node: yaml.Node, key: Key, message: str) -> None:
        self.document.problems.append(Problem(self._place(node), key, message))

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._source, node.start_mark.line + 1)

    def read(self, node: yaml.Node, key: Key) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES or len(key) > _MAX_DEPTH:
            raise _TooLargeError
        self.document.places.setdefault(key, self._place(node))
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*key, position)) for position, item in enumerate(node.value)]
        return self._read_scalar(node, key)

    def _read_mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        own: dict[str, int] = {}
        merged = [pair for pair in node.value if pair[0].tag == _MERGE_TAG]
        for _, value in merged:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(part, yaml.MappingNode):
                    data = {**self._read_mapping_at(part, key), **data}
                else:
                    self.problem(part, key, "<< takes a mapping, or a list of mappings; name an anchor such as *base")
        for name_node, value in node.value:
            if name_node.tag == _MERGE_TAG:
                continue
            if not isinstance(name_node, yaml.ScalarNode):
                self.problem(name_node, key, "a key must be plain text; put text with brackets or braces in quotes")
                continue
            name = str(name_node.value)
            if name in own:
                message = f"given twice, first on line {own[name]}; remove one"
                self.problem(name_node, (*key, name), message)
                continue
            own[name] = name_node.start_mark.line + 1
            if name in data:
                self._forget_places((*key, name))  # those of the merged value that this one replaces
            # A setting stands where its name does, also when its value begins on the next line.
            self.document.places[(*key, name)] = self._place(name_node)
            data[name] = self.read(value, (*key, name))
        return data

    def _read_mapping_at(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        self._values += 1
        if self._values > _MAX_VALUES:
            raise _TooLargeError
        return self._read_mapping(node, key)

    def _forget_places(self, key: Key) -> None:
        places = self.document.places
        for other in [other for other in places if other[: len(key)] == key]:
            del places[other]

    def _read_scalar(self, node: yaml.Node, key: Key) -> Any:
        if node.tag == "tag:yaml.org,2002:str":
            return self._substitute(node, key)
        try:
            return self.loader.construct_object(node)
        except yaml.constructor.ConstructorError:
            self.problem(node, key, "an unknown tag (!name); put text that begins with '!' in quotes")
        except ValueError:
            self.problem(node, key, "looks like a date or a number but is none; put text in quotes")
        return None

    def _substitute(self, node: yaml.Node, key: Key) -> str:
        def value_of(match: re.Match[str]) -> str:
            literal, name, default, broken = match.groups()
            if literal:
                return "${"
            if broken:
                self.problem(node, key, "${ does not begin ${NAME} or ${NAME:-default}; write $${ for a literal one")
                return ""
            # As in a shell, ':-' also stands in for a variable that is empty.
            value = self._env.get(name, "")
            if default is not None:
                return value or default
            if name not in self._env:
                message = f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
                self.problem(node, key, message)
            return value

        return _VARIABLE.sub(value_of, node.value)
