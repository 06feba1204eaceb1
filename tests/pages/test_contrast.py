"""What is written can be read: contrasts of the style's colours, light and dark, by WCAG 2.2 level AA."""

from __future__ import annotations

import re
from itertools import product

import pytest

from detector.pages import assets

TEXTS = [
    *product(("ink", "ink-2", "ink-3"), ("surface", "bg", "sunken", "accent-weak")),
    *product(("accent",), ("surface", "accent-weak", "sunken")),
    *((tone, f"{tone}-weak") for tone in ("critical", "warning", "info", "good")),
    *product(("ink", "ink-2"), ("critical-weak", "warning-weak", "info-weak", "good-weak")),
    ("surface", "accent"),
    ("critical", "sunken"),
    *product(("fig-text", "fig-title"), ("surface",)),
]
SHAPES = ["seen", "expected", "residual", "score", "threshold", "peak", "day", "critical", "warning", "info"]


def colours(theme: str) -> dict[str, str]:
    """By the name of their variable."""
    style = assets.style()
    found: dict[str, str] = {}
    for selector, body in re.findall(r"(:root[^{]*)\{([^}]*)\}", style):
        if "data-theme" not in selector or f'"{theme}"' in selector:
            found |= re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})\b", body)
    return found


def luminance(colour: str) -> float:
    """Relative luminance, from 0 to 1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_as_much_as_there_is():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme):
    known = colours(theme)
    weak = {(text, ground): contrast(known[text], known[ground]) for text, ground in TEXTS}
    assert {pair: round(value, 2) for pair, value in weak.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_marks_of_pictures_stand_out(theme):
    known = colours(theme)
    weak = {name: contrast(known[f"fig-{name}"], known["surface"]) for name in SHAPES}
    assert {name: round(value, 2) for name, value in weak.items() if value < 3.0} == {}
