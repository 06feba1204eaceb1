"""The programs of those who watch: Prometheus, Alertmanager and a real browser, as Debian packages them.

`make test` installs them where it may. Where it may not, a test that asks for one is skipped, the last line of the run
names what was missing, and in CI the run fails; see `what_did_not_run`.

A page is opened by `open_page`, which holds every test to the same three promises: nothing goes wrong in the page's
console, no script fails, and nothing is asked of any network. Screenshots are kept in ``build/screenshots``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"

# Name, what Debian calls it, what others may call it.
PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
}
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
}
PATIENCE_MS = 30_000
_HERE = {"127.0.0.1", "localhost", "[::1]", "::1"}
_WITHOUT_NETWORK = {"data", "blob", "about", "file"}


def find_program(name: str) -> Path | None:
    """Where a program of `PROGRAMS` is, or None."""
    found = (shutil.which(candidate) for candidate in PROGRAMS[name])
    return next((Path(path) for path in found if path is not None), None)


def _needed(name: str) -> Path:
    path = find_program(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian's package {PACKAGES[name]})")
    return path


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """Path of the server."""
    return _needed("prometheus")


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Path of the program that checks and tests rules."""
    return _needed("promtool")


@pytest.fixture(scope="session")
def alertmanager() -> Path:
    """Path of the server."""
    return _needed("alertmanager")


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Path of the program that checks Alertmanager's configuration."""
    return _needed("amtool")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A running headless browser."""
    path = _needed("chromium")
    # Its own sandbox does not start for root, nor in most containers; it opens nothing but our own pages here.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--font-render-hinting=none"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass
class Complaints:
    """What went wrong in a page.

    Attributes:
        found: A line each.
        expected: Texts that a test provokes on purpose; a complaint that contains one does not count.
    """

    found: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def console(self, message: ConsoleMessage) -> None:
        """Errors and warnings alike: a page of ours gives reason for neither."""
        if message.type in ("error", "warning"):
            place = message.location
            self.found.append(f"console {message.type}: {message.text} ({place['url']}:{place['lineNumber']})")

    def script(self, error: Any) -> None:
        """An exception that nobody caught."""
        self.found.append(f"script: {error}")

    def failed(self, request: Request) -> None:
        """A request without an answer; those that the page itself gave up are fine."""
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"no answer: {request.method} {request.url}: {request.failure}")

    def guard(self, route: Route) -> None:
        """Lets through what stays on this machine."""
        address = urlsplit(route.request.url)
        if address.scheme in _WITHOUT_NETWORK or (address.hostname or "") in _HERE:
            route.fallback()
        else:
            self.found.append(f"asked a network: {route.request.url}")
            route.abort()

    def check(self) -> None:
        """Raise if anything went wrong."""
        left = [line for line in self.found if not any(text in line for text in self.expected)]
        assert not left, "\n".join(left)


OpenPage = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def open_page(chromium: Browser) -> OpenPage:
    """``with open_page(url, width=1280, height=800, scheme="light", expected=()) as page``.

    The page must end without a complaint. ``url`` may be a path of a file.
    """

    @contextmanager
    def opened(
        url: str | Path,
        *,
        width: int = 1280,
        height: int = 800,
        scheme: Literal["light", "dark"] = "light",
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> Iterator[Page]:
        complaints = Complaints(expected=expected)
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            timezone_id="UTC",
            locale="en-GB",
            reduced_motion="reduce",
            **options,
        )
        try:
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("console", complaints.console)
            page.on("pageerror", complaints.script)
            page.on("requestfailed", complaints.failed)
            page.route("**/*", complaints.guard)
            page.goto(url.absolute().as_uri() if isinstance(url, Path) else url)
            yield page
            complaints.check()
        finally:
            context.close()

    return opened


@pytest.fixture(scope="session")
def screenshot() -> Callable[..., Path]:
    """``screenshot(page, "name", full_page=False)``: keeps a picture of a page for people to look at."""
    folder = Path(os.environ.get("SCREENSHOTS", SCREENSHOTS))

    def keep(page: Page, name: str, *, full_page: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=full_page, animations="disabled")
        return path

    return keep
