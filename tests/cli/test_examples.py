"""Every example that people may copy, from ``--help`` or the page on commands, is one that the command accepts."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer

from detector.cli import COMMANDS
from detector.cli.app import build

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def command_lines(text: str) -> list[str]:
    """The lines that run ``detector``, up to a comment, pipe or redirection, continuation lines joined."""
    lines = (re.sub(r"^\s*(\$ )?([A-Z_]+=\S* )*", "", line) for line in text.replace("\\\n", " ").splitlines())
    lines = (re.split(r"\s+(?:#|\||>|2>|&)", line)[0] for line in lines)
    return [line for line in lines if line.startswith("detector ")]


def check(line: str) -> None:
    """Parse a command line as ``detector`` would, without running it. Files that an example names need not exist."""
    program = build(COMMANDS)
    _, *arguments = shlex.split(line)
    with program.make_context("detector", list(arguments)) as context:
        rest = [*context._protected_args, *context.args]
        while rest:
            name, command, rest = context.command.resolve_command(context, rest)
            try:
                context = command.make_context(name, list(rest), parent=context)
            except typer.BadParameter as error:
                if "does not exist" not in error.format_message():
                    raise
                return
            rest = [*context._protected_args, *context.args] if hasattr(command, "commands") else []


def examples_in_help(name: str) -> list[str]:
    target = COMMANDS[name].load()
    if not isinstance(target, typer.Typer):
        return command_lines(inspect.getdoc(target) or "")
    group = typer.main.get_group(target)
    texts = [group.help or "", *(command.help or "" for command in group.commands.values())]
    return [line for text in texts for line in command_lines(inspect.cleandoc(text))]


@pytest.mark.parametrize("line", command_lines(PAGE.read_text(encoding="utf-8")))
def test_an_example_of_the_page_is_accepted(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if line not in {"detector --install-completion", "detector --show-completion"}:  # these run at once
        check(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_a_commands_help_are_accepted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = examples_in_help(name)
    assert lines, f"detector {name} --help shows no example"
    for line in lines:
        check(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_a_section_with_an_example_for_every_command(name):
    _, heading, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## detector {name}\n")
    assert heading
    section = re.split(r"\n## ", rest)[0]
    assert any(line.startswith(f"detector {name}") for line in command_lines(section))


def test_a_wrong_example_would_be_found():
    with pytest.raises(typer.Exit):
        check("detector --version")
    with pytest.raises(Exception, match=r"No such command 'pblish'"):
        check("detector pblish x")
