from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import ConfigError
from detector.records.paths import MISSING, FieldPath, parse_path, path_text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a.0.b", ("a", "0", "b")),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\\.b", ("a\\", "b")),
        ('labels."a.b/c".d', ("labels", "a.b/c", "d")),
        ("'a.b'", ("a.b",)),
        (r'"say \"x\"".y', ('say "x"', "y")),
        ('a"b', ('a"b',)),
        ('""', ("",)),
        (" a b .ü", (" a b ", "ü")),
    ],
)
def test_a_path_is_split_into_names(text, names):
    assert parse_path(text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the path '' has an empty name; write names separated by single dots"),
        ("a..b", "the path 'a..b' has an empty name; write names separated by single dots"),
        ("a.", "the path 'a.' has an empty name; write names separated by single dots"),
        (".a", "the path '.a' has an empty name; write names separated by single dots"),
        ("a\\", r"the path 'a\\' ends in a backslash; write \\ for a backslash that belongs to the name"),
        ('"a', "the path '\"a' has a quote that is not closed; close it, or write \\\" for a literal one"),
        ('"a"b', "the path '\"a\"b' goes on after a closing quote; only a dot may follow it"),
    ],
)
def test_a_path_that_cannot_be_parsed_says_why(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_path(text)
    assert str(caught.value) == message


DOCUMENT = {"a": {"b": [10, {"c": 12, "0": "zero"}], "x.y": 7, "n": None}, "0": "key", "list": [[1, 2], [3]]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.0", 10),
        ("a.b.1.c", 12),
        ("a.b.1.0", "zero"),
        (r"a.x\.y", 7),
        ("a.n", None),
        ("0", "key"),
        ("list.0.1", 2),
        ("list.1.0", 3),
        ("a.b.2", MISSING),
        ("a.b.-1", MISSING),
        ("a.b.c", MISSING),
        ("a.n.deeper", MISSING),
        ("a.b.0.deeper", MISSING),
        ("nowhere", MISSING),
        ("list.99999999999999999999", MISSING),
        ("list.²", MISSING),
    ],
)
def test_a_path_finds_its_value_or_says_that_there_is_none(path, value):
    assert FieldPath(path).get(DOCUMENT) is value or FieldPath(path).get(DOCUMENT) == value


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_names_can_be_written_as_a_path(names):
    quoted = ".".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    assert parse_path(quoted) == tuple(names)


@given(st.lists(st.text(alphabet=st.sampled_from("ab.\\\"' ü")), min_size=1, max_size=4))
def test_a_path_that_is_written_is_read_back(names):
    assert parse_path(path_text(names)) == tuple(names)
