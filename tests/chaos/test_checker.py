"""The judge is judged first: each kind of difference, made by hand, is found and named."""

from __future__ import annotations

import pytest

from tests.chaos.checker import Item, compare


def item(identity: str, lane: str = "a", content: bytes = b"x") -> Item:
    return Item(lane, identity, content)


EXPECTED = [item("a1"), item("b1", "b"), item("a2"), item("b2", "b"), item("a3")]


def test_the_same() -> None:
    found = compare(EXPECTED, EXPECTED)
    assert found.clean
    assert str(found) == "no difference"


def test_order_between_lanes_is_free() -> None:
    assert compare(EXPECTED, [EXPECTED[i] for i in (1, 3, 0, 2, 4)]).clean


def test_nothing_seen_is_all_lost() -> None:
    assert compare(EXPECTED, []).losses == ("a1", "b1", "a2", "b2", "a3")


@pytest.mark.parametrize("gone", range(len(EXPECTED)))
def test_a_loss(gone: int) -> None:
    found = compare(EXPECTED, EXPECTED[:gone] + EXPECTED[gone + 1 :])
    assert found.losses == (EXPECTED[gone].identity,)
    assert found.counts() == {"losses": 1, "repeats": 0, "foreign": 0, "changed": 0, "order_errors": 0}
    assert not found.clean


@pytest.mark.parametrize("again", range(len(EXPECTED)))
@pytest.mark.parametrize("at", range(len(EXPECTED) + 1))
def test_a_repeat_wherever_it_comes(again: int, at: int) -> None:
    found = compare(EXPECTED, [*EXPECTED[:at], EXPECTED[again], *EXPECTED[at:]])
    assert found.repeats == (EXPECTED[again].identity,)
    assert not found.losses
    assert not found.clean


def test_three_times_is_two_too_many() -> None:
    assert compare(EXPECTED, [*EXPECTED, EXPECTED[0], EXPECTED[0]]).repeats == ("a1", "a1")


def test_a_swap_within_a_lane() -> None:
    found = compare(EXPECTED, [EXPECTED[i] for i in (2, 1, 0, 3, 4)])
    assert found.misplaced == ("a2", "a1")
    assert found.counts()["order_errors"] == 2
    assert not found.clean


def test_a_loss_is_not_an_order_error() -> None:
    assert compare(EXPECTED, EXPECTED[1:]).misplaced == ()


def test_changed_content() -> None:
    found = compare(EXPECTED, [item("a1", content=b"y"), *EXPECTED[1:]])
    assert found.changed == ("a1",)
    assert not found.clean


def test_a_repeat_with_another_content_is_both() -> None:
    found = compare(EXPECTED, [*EXPECTED, item("a1", content=b"y")])
    assert (found.repeats, found.changed) == (("a1",), ("a1",))


def test_another_lane_is_a_change() -> None:
    assert compare(EXPECTED, [item("a1", "b"), *EXPECTED[1:]]).changed == ("a1",)


def test_something_foreign() -> None:
    found = compare(EXPECTED, [*EXPECTED, item("z")])
    assert found.foreign == ("z",)
    assert not found.clean


def test_a_message_names_the_first_few() -> None:
    found = compare([item(f"n{i}") for i in range(9)], [])
    assert str(found) == "9 lost (n0, n1, n2, n3, n4, ...)"


def test_expectations_that_repeat_are_refused() -> None:
    with pytest.raises(ValueError, match="repeat an identity"):
        compare([EXPECTED[0], EXPECTED[0]], [])
