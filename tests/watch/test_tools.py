"""The tools of the tests of pages: what they must not let pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.watch_tools import OpenPage

pytestmark = pytest.mark.watch


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('broken')", "console error: broken"),
        ("console.warn('doubtful')", "console warning: doubtful"),
        ("throw new Error('thrown')", "script: thrown"),
        ("fetch('http://192.0.2.1/x').catch(() => 0)", "asked a network: http://192.0.2.1/x"),
    ],
)
def test_a_page_that_misbehaves_fails_its_test(
    open_page: OpenPage, tmp_path: Path, script: str, complaint: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>x</title><script>{script}; document.title = 'done'</script>")
    with pytest.raises(AssertionError, match=complaint), open_page(path) as page:
        page.wait_for_timeout(200)


def test_a_page_that_behaves_passes(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><title>x</title><script>document.title = 'done'</script>")
    with open_page(path) as page:
        assert page.title() == "done"
