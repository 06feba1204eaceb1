from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import pytest

from detector.errors import ConfigError, InvalidRecordError
from detector.records import decoders
from detector.records.decoders import Row, decode_json, decode_row, decoder, decoder_names


@pytest.mark.parametrize(
    ("value", "document"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b' {"a": [1, 2.5, "x", null, true]}\n', {"a": [1, 2.5, "x", None, True]}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": Infinity, "b": -Infinity}', {"a": math.inf, "b": -math.inf}),
        (b'{"a": "NaN"}', {"a": "NaN"}),
        ('{"ü": "日本"}'.encode(), {"ü": "日本"}),
    ],
)
def test_json(value, document):
    assert decode_json(value) == document


def test_bare_nan_is_read_as_python_writes_it():
    document = decode_json(b'{"a": NaN, "b": 1}')
    assert math.isnan(document["a"])
    assert document["b"] == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "not_json: the value is empty"),
        (b" \n", "not_json: the value is empty"),
        (b"{", "not_json: Input data was truncated"),
        (b"hello", "not_json: JSON is malformed: invalid character (byte 0)"),
        (b'{"a": NaN', "not_json: Expecting ',' delimiter: line 1 column 10 (char 9)"),
        (b'{"a": 1e999}', "not_json: Number out of range - at `$[...]`"),
        (b"[" * 90 + b"1e999", "not_json: Number out of range - at `$" + "[0]" * 57 + "[0" + "..."),
        (b"[" * 100_000, "not_json: the value is nested too deeply"),
        (b'["NaN",' + b"[" * 100_000, "not_json: the value is nested too deeply"),
        (b'{"a": "\xff"}', "not_utf8: byte 7 of the value is not UTF-8"),
        (b"\xff\xfe{\x00}\x00", "not_utf8: byte 0 of the value is not UTF-8"),
        ((0, [1.0]), "not_json: the value is tuple, not bytes"),
    ],
)
def test_what_is_not_json_says_why(value, message):
    with pytest.raises(InvalidRecordError) as caught:
        decode_json(value)
    assert str(caught.value) == message


def test_a_row_of_a_file_passes_through():
    assert decode_row((5, [1.0, math.inf])) == Row(5, [1.0, math.inf])
    with pytest.raises(InvalidRecordError) as caught:
        decode_row(b"{}")
    assert str(caught.value) == ("not_an_object: the decoder 'row' reads rows of files; set record.decoder for a topic")


def test_decoders_are_found_by_name():
    assert decoder("json") is decode_json
    assert decoder("row") is decode_row
    assert decoder_names() == ["json", "row"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jsn", "there is no decoder 'jsn'; did you mean 'json'? known decoders: json, row"),
        ("avro", "there is no decoder 'avro'; known decoders: json, row"),
        ("", "there is no decoder ''; known decoders: json, row"),
    ],
)
def test_an_unknown_decoder_names_the_known_ones(name, message):
    with pytest.raises(ConfigError) as caught:
        decoder(name)
    assert str(caught.value) == message


@pytest.fixture
def installed(monkeypatch):
    """Packages that bring decoders."""
    points: list[EntryPoint] = []

    def entry_points(group, name=None):
        return [point for point in points if group == point.group and name in (None, point.name)]

    monkeypatch.setattr(decoders, "entry_points", entry_points)
    return lambda name, target: points.append(EntryPoint(name, target, decoders.ENTRY_POINT_GROUP))


def test_an_installed_package_may_bring_a_decoder(installed):
    installed("other", "json:loads")
    assert decoder("other")(b'{"a": 1}') == {"a": 1}
    assert decoder_names() == ["json", "other", "row"]


def test_an_installed_package_cannot_replace_a_built_in_decoder(installed):
    installed("json", "json:loads")
    assert decoder("json") is decode_json


def test_a_decoder_that_does_not_load_names_its_package(installed):
    installed("broken", "no_such_module:decode")
    installed("odd", "math:pi")
    with pytest.raises(ConfigError) as caught:
        decoder("broken")
    assert str(caught.value) == (
        "the decoder 'broken' (no_such_module:decode) does not load: No module named 'no_such_module'; "
        "repair or remove it"
    )
    with pytest.raises(ConfigError) as caught:
        decoder("odd")
    assert str(caught.value) == "the decoder 'odd' (math:pi) is not callable; repair or remove its package"
