"""What the documents say about the rest of the project is so: links lead somewhere, and what they name is there.

Commands of docs/commands.md are checked in tests/cli/test_examples.py, queries in tests/watch/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from detector.records.reasons import REASONS
from detector.settings_file.tree import leaves
from tests.cli.test_examples import check, command_lines

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "deploy", "docs", "examples", "tests/deploy/schemas")
# Where the files of the project can be read by people who are told of a runbook.
PUBLISHED = "https://github.com/reconstream/reconstream/blob/main/"


def documents() -> list[Path]:
    found = {path for folder in FOLDERS for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")}
    return sorted(found)


DOCUMENTS = documents()
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def tokens(path: Path) -> tuple[Token, ...]:
    return tuple(MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")))


def inline(path: Path, kind: str) -> Iterator[Token]:
    """Links, images or code within text, not in blocks of code."""
    return (child for token in tokens(path) for child in token.children or () if child.type == kind)


def targets(path: Path) -> list[str]:
    links = [str(token.attrs["href"]) for token in inline(path, "link_open")]
    return links + [str(token.attrs["src"]) for token in inline(path, "image")]


def anchors(path: Path) -> set[str]:
    """Of the headings, as GitHub has them: small letters, hyphens for spaces, no punctuation, numbers if repeated."""
    found: dict[str, int] = {}
    parsed = tokens(path)
    for opening, heading in pairwise(parsed):
        if opening.type == "heading_open":
            text = "".join(child.content for child in heading.children or ())
            name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            seen = found.get(name, 0)
            found[name] = seen + 1
            if seen:
                found[f"{name}-{seen}"] = 1
    return set(found)


def problem(path: Path, target: str) -> str | None:
    """What is wrong with a link of a document; None if nothing is, or if it leads out of the project."""
    parts = urlsplit(target)
    if parts.scheme:
        if not target.startswith(PUBLISHED):
            return None
        place = ROOT / unquote(urlsplit(target.removeprefix(PUBLISHED)).path)
    else:
        place = path.parent / unquote(parts.path) if parts.path else path
    if not place.exists():
        return f"{target}: there is no such file"
    if parts.fragment and unquote(parts.fragment) not in anchors(place):
        return f"{target}: there is no such heading"
    return None


def test_the_documents_are_found():
    assert {ROOT / "README.md", ROOT / "docs" / "operations.md", ROOT / "deploy" / "README.md"} <= set(DOCUMENTS)


@each_document
def test_every_link_leads_to_a_file_and_a_heading(path):
    assert [wrong for target in targets(path) if (wrong := problem(path, target))] == []


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("docs/nothing.md", "docs/nothing.md: there is no such file"),
        ("docs/commands.md#detector-dance", "docs/commands.md#detector-dance: there is no such heading"),
        ("#nowhere", "#nowhere: there is no such heading"),
        (f"{PUBLISHED}docs/runbooks/None.md", f"{PUBLISHED}docs/runbooks/None.md: there is no such file"),
        ("docs/commands.md#detector-dashboard", None),
        ("https://example.org/anything", None),
    ],
)
def test_a_dead_link_would_be_found(target, wrong):
    assert problem(ROOT / "README.md", target) == wrong


def test_every_page_of_the_documentation_is_linked_from_the_readme_or_from_a_page_that_is():
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        places = ((path.parent / urlsplit(target).path).resolve() for target in targets(path))
        waiting += [place for place in places if place in DOCUMENTS]
    assert [path for path in DOCUMENTS if path not in reached and "tests" not in path.parts] == []


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name != "commands.md"], ids=lambda path: path.stem)
def test_every_command_to_copy_is_accepted(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for token in tokens(path):
        if token.type == "fence" and "─" not in token.content:
            for line in command_lines(token.content):
                if "[--" not in line:  # a synopsis
                    check(line)


def test_the_arguments_of_the_job_that_trains_the_first_model_on_kubernetes_are_accepted(tmp_path, monkeypatch):
    page = (ROOT / "deploy" / "kubernetes" / "README.md").read_text(encoding="utf-8")
    given = re.search(r"containers\[0\]\.args = (\[.*?\])", page, re.DOTALL)
    assert given is not None
    monkeypatch.chdir(tmp_path)
    check("detector " + " ".join(json.loads(given[1])))


@each_document
def test_every_setting_that_is_named_exists(path):
    known: set[str] = set()
    for key, _ in leaves():
        names = [str(part) for part in key if isinstance(part, str)]
        for start in range(len(names)):
            known |= {".".join(names[start:end]) for end in range(start + 1, len(names) + 1)}
    sections = {name.split(".")[0] for name in known if "." in name} - {"model"}
    named = [token.content.split(":")[0].replace("[]", "") for token in inline(path, "code_inline")]
    wanted = [
        name for name in named if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) and not name.endswith((".py", ".md"))
    ]
    assert [name for name in wanted if name.split(".")[0] in sections and name not in known] == []


@each_document
def test_every_file_of_the_project_that_is_named_exists(path):
    named = [token.content for token in inline(path, "code_inline")]
    folders = r"(deploy|detector|docs|examples|models|benchmarks|security|tests)/"
    files = [name for name in named if re.fullmatch(folders + r"[\w./-]+\.(py|md|ya?ml|json|tmpl|toml)", name)]
    assert [name for name in files if not any((base / name).exists() for base in (ROOT, ROOT / "detector"))] == []


def test_every_reason_of_a_dead_letter_is_named_where_its_headers_are():
    page = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
    listed = re.search(r"^\| `reconstream-reason` \| (.*) \|$", page, re.MULTILINE)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(REASONS)
