"""``detector train --report``: a page that tells how a real training went, opened in a real browser."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pictures_made import DRAW_ALL

from detector.pages.blocks import Note, Table
from detector.reports.train import Trained, train_report
from models.habits import Habits
from models.training.held_out_view import ChannelErrors, HeldOutView, SeriesScores
from tests.plugins.made_once import MadeOnce
from tests.support.commands import status_of
from tests.support.waiting import until

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("telemetry") / "data.csv"
    noise = np.random.default_rng(0)
    rows = ["time,host,cpu,memory"]
    for host in ("web-1", "web-<2>"):
        steps = np.arange(700)
        values = np.stack([np.sin(steps / 9), 3 * np.sin(steps / 9) + 5], 1) + noise.normal(scale=0.1, size=(700, 2))
        values[660, 1] += 4
        rows += [f"{60 * step},{host},{a:.6f},{b:.6f}" for step, (a, b) in enumerate(values.tolist())]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def page_file(telemetry: Path, made_once: MadeOnce) -> Path:
    def make(folder: Path) -> None:
        folder.mkdir()
        series = ("--series-column", "host", "--epochs", "3", "--units", "12", "--threads", "1")
        report = ("--report", folder / "training.html")
        assert status_of("train", telemetry, *series, "--out", folder / "bundle", *report) == 0

    return made_once("training-report", make) / "training.html"


class Words(HTMLParser):
    def __init__(self, page: Path) -> None:
        super().__init__()
        self.text = ""
        self.names: list[str] = []
        self._skip = False
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        self._skip = tag in ("script", "style")
        if tag == "section":
            self.names.append(dict(attributes)["id"])

    def handle_data(self, data):
        if not self._skip:
            self.text += data + " "


def test_the_page_tells_what_the_report_tells(page_file, telemetry):
    words = Words(page_file)
    assert words.names == [
        "summary", "recipe", "loss", "gradients", "scores", "reconstructions", "channels", "series",
    ]  # fmt: skip
    manifest = json.loads((page_file.parent / "bundle" / "manifest.json").read_text())
    history = json.loads((page_file.parent / "bundle" / "training.json").read_text())
    method = manifest["calibration"]["method"].replace("_", " ")
    assert f"{manifest['calibration']['threshold']:.6g}, by {method}" in words.text
    assert f"{history['parameters']:,}" in words.text
    assert "web-<2>" in words.text
    assert "global_clipnorm 1" in words.text
    assert "Where the score was highest" in words.text
    for name in [layer["layer"] for layer in history["epochs"][-1]["layers"]]:
        assert name in words.text


@pytest.mark.watch
def test_the_page_is_drawn_light_and_dark_wide_and_narrow(open_page, screenshot, page_file):
    with open_page(page_file, width=1280, height=900) as page:
        page.evaluate(DRAW_ALL)
        assert page.evaluate("window.reconstream.drawn()") == page.locator(".drawing").count() >= 6
        screenshot(page, "train-report-light", full_page=True)
        page.click(".theme-toggle")
        screenshot(page, "train-report-dark", full_page=True)
        page.set_viewport_size({"width": 380, "height": 800})
        until(lambda: page.evaluate("document.querySelector('#loss .drawing > *').getBoundingClientRect().width < 380"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        screenshot(page, "train-report-phone", full_page=True)


def test_a_choice_is_told_with_all_that_was_tried(telemetry, tmp_path):
    page = tmp_path / "auto.html"
    automatic = ("--architecture", "auto", "--budget", "0s", "--period", "none", "--threads", "1")
    assert status_of("train", telemetry, *automatic, "--out", tmp_path / "bundle", "--report", page) == 0
    words = Words(page)
    assert words.names[:3] == ["summary", "recipe", "selection"]
    history = json.loads((tmp_path / "bundle" / "training.json").read_text())
    assert history["selection"]["recipe"]["name"] in words.text
    for name in history["selection"]["passed_over"]:
        assert name in words.text
    assert "Fitted in closed form" in words.text


def test_what_is_there_stays_if_the_page_cannot_be_written(telemetry, tmp_path, capsys):
    out = tmp_path / "bundle"
    for page, said in ((tmp_path, "is a directory"), (tmp_path / "no" / "a.html", "there is no directory")):
        assert status_of("train", telemetry, "--out", out, "--report", page) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


NORM = {"median": 0.5, "p90": 1.0, "p99": 2.0, "max": 3.0}


def trained(**history) -> Trained:
    epoch = {
        "epoch": 1, "loss": 0.5, "val_loss": 0.6, "learning_rate": 0.005, "gradient_norm": NORM, "clipped_norm": NORM,
        "layers": [{"layer": "encoder", "recurrent": True, "before": NORM, "after": NORM}], "clipped_steps": 1,
        "steps": 4, "seconds": 1.0, "measures": {},
    }  # fmt: skip
    document = {
        "bundle": "models/x", "digest": "d" * 64, "shortfall": None, "training_data": {"sha256": "5" * 64},
        "spec": {
            "channels": ["cpu"], "architecture": "lstm", "window": 16, "period_seconds": None, "units": 8, "latent": 2,
            "seed": 0, "options": {},
        },
        "score": {"parts": [{"part": "reconstruction", "kind": "log", "rows": 1}], "scales": [1], "link": "plain"},
        "calibration": {
            "method": "risk", "risk": 0.0, "threshold": 2.0, "open_after": 2, "samples": 3, "outliers": 0,
            "quantiles": {"0.5": 1.0}, "tail_shape": None, "held_out_days": 1.0, "held_out_incidents": None,
            "expected_alerts_per_day": None, "spot": None, "feedback": None, "alerts_per_week": None,
        },
        "history": {
            "epochs": [epoch], "best_epoch": 1, "message": "all 1 epochs done", "loss": 0.5, "val_loss": 0.6,
            "parameters": 10, "training_windows": 100, "held_out_windows": 20, "seconds": 3.0,
            "clipping": "no clipping", "findings": [], "misfits": [], "horizons": {}, "carried_bytes": 0,
            "unexplained": {}, "selection": None, **history,
        },
    }  # fmt: skip
    errors, scores = ChannelErrors(float("nan"), float("nan"), float("nan")), SeriesScores("web-1", 3, 1.0, 2.5)
    view = HeldOutView("reconstruction", np.array([1.0, 1.5, 2.5]), (errors,), (scores,), ())
    return Trained(document, view, Habits(None, ("web-1",), ((None,),)), "lstm-1")


def blocks(report, section):
    (found,) = [one for one in report.sections if one.name == section]
    return found.blocks


def test_findings_are_told_with_their_remedies_at_the_top_and_beside_the_gradients():
    finding = {"kind": "vanishing", "message": "the norm of encoder is 1e-9", "remedy": "use gru (--architecture gru)"}
    report = train_report(trained(findings=[finding]), "")
    for section in ("summary", "gradients"):
        (note,) = [one for one in blocks(report, section) if isinstance(one, Note)]
        assert (note.title, note.tone) == ("Gradients vanish", "warning")
        assert note.text == "The norm of encoder is 1e-9."
        assert note.remedy == "Use gru (--architecture gru)."


def test_without_findings_it_says_that_nothing_is_wrong():
    (note,) = [one for one in blocks(train_report(trained(), ""), "summary") if isinstance(one, Note)]
    assert note.tone == "good"


def test_series_unlike_the_rest_are_named():
    report = train_report(trained(misfits=[{"series": "web-1", "ratio": 5.0, "kind": "noisy"}]), "")
    (table,) = [one for one in blocks(report, "series") if isinstance(one, Table)]
    assert table.rows[0][-1].text == "noisy, 5 times the usual"
    assert any(isinstance(one, Note) and "unlike the rest" in one.title for one in blocks(report, "summary"))


def test_a_fit_in_closed_form_has_neither_epochs_nor_gradients():
    report = train_report(trained(epochs=[], best_epoch=0), "")
    assert [type(one).__name__ for one in (*blocks(report, "loss"), *blocks(report, "gradients"))] == ["Empty", "Empty"]
