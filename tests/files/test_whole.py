"""No output lands elsewhere than it was named, whoever may write to the directory, and none is there by halves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from detector.errors import ConfigError
from detector.evaluation import RowScores
from detector.evaluation import write_scores as write_row_scores
from detector.files import whole
from detector.files.events import LineWriter
from detector.files.scores import ScoreWriter
from detector.files.whole import WholeFile
from tests.support.commands import status_of


def events(path: Path) -> None:
    writer = LineWriter(path)
    writer.write([b"{}"])
    writer.close()


def scores(path: Path) -> None:
    ScoreWriter(path).close()


def row_scores(path: Path) -> None:
    write_row_scores(path, RowScores(np.zeros(1, np.int64), np.zeros(1), 1), 1.0)


def config(path: Path) -> None:
    assert status_of("config", "init", path, "--force") == 0


OUTPUTS = [
    (events, "e.jsonl"),
    (scores, "s.csv"),
    (scores, "s.jsonl"),
    (scores, "s.parquet"),
    (row_scores, "r.parquet"),
]


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    file = tmp_path / "precious"
    file.write_text("mine")
    return file


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("write", "name"), [*OUTPUTS, (config, "detector.yaml")])
def test_a_link_under_the_name_is_replaced_and_not_followed(
    write: Callable[[Path], None], name: str, shared: Path, precious: Path
) -> None:
    (shared / name).symlink_to(precious)
    write(shared / name)
    assert precious.read_text() == "mine"
    assert not (shared / name).is_symlink()
    assert [file.name for file in shared.iterdir()] == [name]


@pytest.mark.parametrize(("write", "name"), OUTPUTS)
def test_a_link_under_the_temporary_name_stops_it(
    write: Callable[[Path], None], name: str, shared: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it had been guessed; what chance gives is not to be guessed.
    monkeypatch.setattr(whole.uuid, "uuid4", lambda: SimpleNamespace(hex="0" * 32))
    (shared / f".{name}.000000000000.tmp").symlink_to(precious)
    with pytest.raises(ConfigError) as caught:
        write(shared / name)
    assert str(caught.value) == f"{shared / name}: cannot be written: File exists; check the directory"
    assert precious.read_text() == "mine"
    assert not (shared / name).exists()


def test_fixed_names_beside_the_output_are_not_used(shared: Path, precious: Path) -> None:
    for name in ("r.tmp", "r.parquet.tmp", ".r.parquet.tmp"):
        (shared / name).symlink_to(precious)
    row_scores(shared / "r.parquet")
    assert precious.read_text() == "mine"


def test_a_first_configuration_does_not_follow_a_dangling_link(shared: Path, tmp_path: Path) -> None:
    (shared / "detector.yaml").symlink_to(tmp_path / "elsewhere")
    assert status_of("config", "init", shared / "detector.yaml") == 2
    assert not (tmp_path / "elsewhere").exists()


def test_an_error_leaves_what_was_there(shared: Path) -> None:
    (shared / "x").write_text("before")

    def half() -> None:
        with WholeFile(shared / "x") as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert [file.name for file in shared.iterdir()] == ["x"]
    assert (shared / "x").read_text() == "before"


def test_names_are_not_to_be_guessed(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[uuid.UUID] = []
    real = uuid.uuid4
    monkeypatch.setattr(whole.uuid, "uuid4", lambda: asked.append(real()) or asked[-1])
    file = WholeFile(shared / "x")
    assert [found.name for found in shared.iterdir()] == [f".x.{asked[0].hex[:12]}.tmp"]
    file.discard()
    assert list(shared.iterdir()) == []
