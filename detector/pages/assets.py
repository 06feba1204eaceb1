"""What a page of reconstream is made of, from the installed packages: nothing is ever asked of a network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

_STATIC = "static"


@cache
def style() -> str:
    """The style sheet of all pages."""
    return _static("reconstream.css")


@cache
def theme_script() -> str:
    """``theme.js``: light and dark, and drawing of pictures; its first lines say what it offers."""
    return _static("theme.js")


@cache
def report_script() -> str:
    """``report.js``: pictures that are drawn when they are near, folds, and the mark in the navigation."""
    return _static("report.js")


@cache
def finder_script() -> str:
    """``finder.js``: searching, choosing and sorting in lists of folds."""
    return _static("finder.js")


@cache
def favicon() -> str:
    """SVG; the sign of all pages."""
    return _static("favicon.svg").strip()


@cache
def bokeh_script() -> str:
    """``bokeh.min.js`` of the installed Bokeh; its licence (BSD-3-Clause) is at its head.

    Neither widgets nor tables, WebGL or MathJax: no picture of ours uses them.
    """
    import bokeh

    return (Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js").read_text("utf-8")


def favicon_address() -> str:
    """The sign as an address that needs no request."""
    return "data:image/svg+xml;base64," + base64.b64encode(favicon().encode()).decode()


def fingerprint(script: str) -> str:
    """How a content security policy names a script that is written into the page: ``sha256-...``."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _static(name: str) -> str:
    return resources.files(__package__).joinpath(_STATIC, name).read_text("utf-8")
