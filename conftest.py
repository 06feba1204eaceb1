"""Loads what every run of tests uses: the line that names what did not run, and the environment without TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

# Test modules are imported by path (importlib mode), so nothing puts the plugins' folder on the import path.
sys.path.insert(0, str(Path(__file__).parent / "tests" / "plugins"))

pytest_plugins = [
    "what_did_not_run",
    "told_to_the_parent",
    "made_once",
    "slim_environment",
    "watch_tools",
    "java_classes",
]
