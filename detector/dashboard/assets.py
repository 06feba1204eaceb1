"""The files that the page consists of, read once: its own, those that it shares with reports, and BokehJS."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from detector.pages import assets as pages

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is served.

    Attributes:
        content_type: As a header says it.
        data: As it is.
        packed: The same, gzipped.
        etag: Changes with the content.
    """

    content_type: str
    data: bytes
    packed: bytes
    etag: str


def load_assets() -> dict[str, Asset]:
    """All files, by the path under which they are served, such as ``/static/app.js``; ``/`` is the page.

    Raises:
        ModuleNotFoundError: the extra ``dashboard`` is not installed.
    """
    shared = {
        "reconstream.css": pages.style(),
        "theme.js": pages.theme_script(),
        "favicon.svg": pages.favicon(),
        "bokeh.min.js": pages.bokeh_script(),
    }
    own = {file.name: file.read_text("utf-8") for file in (files("detector.dashboard") / "static").iterdir()}
    found = {f"/static/{name}": _asset(name, text) for name, text in {**shared, **own}.items()}
    return {**found, "/": _asset("index.html", _page())}


def _page() -> str:
    loader = ChoiceLoader([PackageLoader("detector.dashboard"), PackageLoader("detector.pages")])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    favicon = Markup(pages.favicon())  # noqa: S704 - our own file
    return environment.get_template("dashboard.html.j2").render(favicon=favicon).lstrip()


def _asset(name: str, text: str) -> Asset:
    data = text.encode()
    etag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    return Asset(_TYPES[name[name.rfind(".") :]], data, gzip.compress(data, 6, mtime=0), etag)
