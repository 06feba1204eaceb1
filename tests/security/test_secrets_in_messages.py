"""What is wrong with a configuration is said without the secrets in it, and so is what nobody foresaw."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Command

SECRET = "wonderland-7-hunter2"
STREAM = "streams: [{name: s, topic: t, model: m}]\n"
LOGIN = "mechanism: PLAIN, username: u"

CASES = {
    "misspelt": f"kafka: {{sasl: {{{LOGIN}, passwrod: {SECRET}}}}}",
    "list": f"kafka: {{sasl: {{{LOGIN}, password: [{SECRET}]}}}}",
    "mapping": f"kafka: {{sasl: {{{LOGIN}, password: {{x: {SECRET}}}}}}}",
    "section is text": f"kafka: {{sasl: 'password={SECRET}'}}",
    "both": f"kafka: {{sasl: {{{LOGIN}, password: {SECRET}, password_file: f}}}}",
    "no user": f"kafka: {{sasl: {{mechanism: PLAIN, password: {SECRET}}}}}",
    "no mechanism": f"kafka: {{sasl: {{password: {SECRET}}}}}",
    "reference": f"kafka: {{sasl: {{{LOGIN}, password: '${{ABSENT}}{SECRET}'}}}}",
    "open reference": f"kafka: {{sasl: {{{LOGIN}, password: '{SECRET}${{'}}}}",
    "odd reference": f"kafka: {{sasl: {{{LOGIN}, password: '${{{SECRET}}}'}}}}",
    "default of a reference": f"kafka: {{sasl: {{{LOGIN}, password: '${{A-B:-{SECRET}}}'}}}}",
    "open quote": f"kafka:\n  sasl:\n    password: \"{SECRET}\n",
    "tab": f"kafka:\n  sasl:\n\tpassword: {SECRET}\n",
    "colon": f"kafka:\n  sasl:\n    password: {SECRET}: x\n",
    "anchor": f"kafka:\n  sasl:\n    password: *{SECRET}\n",
    "tag": f"kafka:\n  sasl:\n    password: !!{SECRET} x\n",
    "twice": f"kafka: {{sasl: {{{LOGIN}, password: {SECRET}, password: {SECRET}}}}}",
    "key password": f"kafka: {{security_protocol: SSL, tls: {{key_password: {SECRET}, cert_file: c}}}}",
    "http": f"http: {{auth: {{username: 'a:b', password: {SECRET}}}}}",
    "http key": f"http: {{tls: {{key_password: {SECRET}}}}}",
    "http number": f"http: {{port: x, auth: {{username: a, password: {SECRET}}}}}",
}  # fmt: skip
VARIABLES = {
    "unknown": {"RECONSTREAM_KAFKA__SASL__PASSWROD": SECRET},
    "incomplete": {"RECONSTREAM_KAFKA__SASL__PASSWORD": SECRET},
    "section": {"RECONSTREAM_KAFKA__SASL": f"{{{LOGIN}, passwrod: {SECRET}}}"},
    "broken section": {"RECONSTREAM_KAFKA__SASL": f"{{{LOGIN}, password: '{SECRET}"},
    "too deep": {"RECONSTREAM_KAFKA__SASL__PASSWORD__X": SECRET},
    "http": {"RECONSTREAM_HTTP__AUTH__PASSWORD": SECRET},
}


Check = Callable[[str, dict[str, str]], str]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Check:
    """All that ``detector config check`` prints about a configuration that it refuses."""

    def run(text: str, variables: dict[str, str]) -> str:
        path = tmp_path / "detector.yaml"
        path.write_text(text)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        ended = command("config", "check", path)
        assert ended.code == 2
        return ended.out + ended.err

    return run


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_a_wrong_file(text: str, check: Check) -> None:
    found = check(f"{STREAM}{text}\n", {})
    assert "detector.yaml" in found
    assert SECRET not in found


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_a_wrong_file_that_takes_its_secret_from_the_environment(text: str, check: Check) -> None:
    found = check(f"{STREAM}{text.replace(SECRET, '${THE_SECRET}')}\n", {"THE_SECRET": SECRET})
    assert "detector.yaml" in found
    assert SECRET not in found


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_a_wrong_environment(variables: dict[str, str], check: Check) -> None:
    found = check(STREAM, variables)
    assert "RECONSTREAM_" in found
    assert SECRET not in found


def unexpected(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """A command with this body, in a process of its own; it finds the secret on standard input."""
    program = (
        "import sys, threading\nfrom detector.cli import main\nfrom detector.cli.entry import Entry\n"
        "def show():\n    raise RuntimeError('cannot use ' + repr({'sasl_plain_password': secret, 'user': 'bob'}))\n"
        f"def fail() -> None:\n    global secret\n    secret = sys.stdin.read()\n    {body}\n"
        "sys.modules['fake'] = sys.modules['__main__']\n"
        "main(None, {'fail': Entry('fake:fail', 'Fails.')})\n"
    )
    path = folder / "program.py"
    path.write_text(program)
    return subprocess.run(
        [sys.executable, str(path), "fail"], input=SECRET, env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_an_unexpected_error(tmp_path: Path) -> None:
    result = unexpected(tmp_path, "show()")
    assert result.returncode == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "RuntimeError: cannot use {'sasl_plain_password': ***, 'user': 'bob'}" in result.stderr
    assert SECRET not in result.stderr


def test_an_unexpected_error_in_a_thread(tmp_path: Path) -> None:
    result = unexpected(tmp_path, "thread = threading.Thread(target=show); thread.start(); thread.join()")
    assert "RuntimeError: cannot use {'sasl_plain_password': ***, 'user': 'bob'}" in result.stderr
    assert SECRET not in result.stderr


def test_an_unexpected_error_steers_no_terminal(tmp_path: Path) -> None:
    result = unexpected(tmp_path, r"raise RuntimeError('a\x1b[2Jb')")
    assert r"RuntimeError: a\x1b[2Jb" in result.stderr
