from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import ConfigError
from detector.settings_file import load_settings

STREAM = """\
streams:
  - name: servers
    topic: telemetry
    model: models/servers
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """``load(text, env)``: the settings of a file ``detector.yaml`` with this text."""
    monkeypatch.chdir(tmp_path)

    def run(text=STREAM, env=None):
        path = Path("detector.yaml")
        path.write_text(text, encoding="utf-8")
        return load_settings(path, env or {})

    return run


@pytest.fixture
def problems(load):
    """``problems(text, env)``: the lines of the error that such a file gives."""

    def run(text=STREAM, env=None):
        with pytest.raises(ConfigError) as caught:
            load(text, env)
        return str(caught.value).split("\n")

    return run
