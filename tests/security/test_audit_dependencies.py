"""A step back behind a known hole is named, in the pins and in the ranges."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from security.audit_dependencies import main, pinned_versions, problems

ADVISORY = {
    "id": "CVE-1", "summary": "runs code",
    "affected": [{"package": {"name": "Some_Thing"}, "ranges": [{"events": [{"introduced": "0"}, {"fixed": "2.1"}]}]}],
}  # fmt: skip
WHAT = "CVE-1 (runs code), fixed in 2.1"


def found(pin: str, wanted: str) -> list[str]:
    return list(problems({"some-thing": Version(pin)}, [Requirement(wanted)], [ADVISORY]))


def test_this_project_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert "none applies" in capsys.readouterr().out


def test_what_is_pinned_to_a_hole_is_named() -> None:
    assert found("2.0", "some-thing>=2.1") == [
        "some-thing 2.0 is pinned, but pyproject.toml asks for >=2.1; change one of them",
        f"some-thing 2.0 has {WHAT}; pin 2.1 or newer in constraints.txt",
    ]


@pytest.mark.parametrize("wanted", ["some.thing>=2.0", "some-thing", "some-thing<3"])
def test_a_range_that_allows_a_hole_is_named(wanted: str) -> None:
    (line,) = found("2.2", wanted)
    assert line.endswith(f"which has {WHAT}; ask for some-thing>=2.1 or newer")


def test_what_is_mended_is_not_named() -> None:
    assert found("2.1", "some-thing>=2.1") == []


def test_what_is_not_pinned_is_named() -> None:
    assert list(problems({}, [Requirement("x>1")], [])) == ["x is not pinned; add it to constraints.txt"]


def test_pins_are_read() -> None:
    assert pinned_versions("# text\nA_b==1.0  # why\n\n") == {"a-b": Version("1.0")}
