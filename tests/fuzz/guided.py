"""One target under atheris, which changes the input along what it reaches in the code; a process of its own each.

``python -m tests.fuzz.guided TARGET SECONDS`` fuzzes; with the file of a finding instead of seconds it shows that one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".fuzz")
"""Grows over the runs: what was found worth keeping, so that the next run begins where this one ended."""


def is_installed() -> bool:
    """Whether this Python has atheris; there are wheels for Linux only."""
    return importlib.util.find_spec("atheris") is not None


def fuzz_in_process_of_its_own(name: str, seconds: float) -> bool:
    """Whether the target held for so long; what broke it is printed, and kept."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(max(1, round(seconds)))]
    return subprocess.run(command, check=False).returncode == 0


def main(name: str, what: str) -> None:
    """Fuzz until the time is up or something is found; never returns."""
    import atheris

    # Before anything of the project is imported: only what is imported under it is watched.
    with atheris.instrument_imports(include=["detector", "models"]):
        from tests.fuzz.mutations import TOKENS
        from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    arguments = [what]
    if not Path(what).exists():
        corpus, findings = FOLDER / "corpus" / name, FOLDER / "findings"
        for folder in (corpus, findings):
            folder.mkdir(parents=True, exist_ok=True)
        for seed in target.seeds():
            (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
        words = FOLDER / f"{name}.dict"
        words.write_text("".join(f'"{quoted(token)}"\n' for token in TOKENS if 0 < len(token) < 60))
        arguments = [
            f"-max_total_time={what}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=40000", "-print_final_stats=1",
            "-verbosity=0", f"-dict={words}", f"-artifact_prefix={findings}/{name}-", str(corpus),
        ]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments], target.run)
    atheris.Fuzz()


def quoted(token: bytes) -> str:
    """As libFuzzer's dictionaries want it: every byte as a number."""
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
