"""What is written, read by another parser of OpenMetrics than Prometheus's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from detector.alerting.events import Event
from detector.alerting.incidents import IncidentTracker
from detector.cli.replay.openmetrics import OpenMetricsSink, step_ms
from detector.errors import ConfigError
from detector.observability import replay_run
from detector.observability.metrics import Metrics
from detector.observability.replay_metrics import FAMILIES, REPLAY_PREFIX
from detector.openmetrics import ReplayMetrics
from tests.alerting.conftest import IDENTITY, POLICY, START_NS, scored

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
COMMON = {"job", "instance", "stream"}
T0 = 1_700_000_040  # a whole minute


def ns(*seconds: float) -> np.ndarray:
    """Times behind T0."""
    return np.array([round((T0 + one) * SECOND_NS) for one in seconds], np.int64)


def told(path: Path) -> dict[tuple[str, str], dict[float, float]]:
    """Values by seconds behind T0, by sample name and labels but for the stream."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for document in documents(path.read_text(encoding="utf-8")):
        for family in text_string_to_metric_families(document):
            for sample in family.samples:
                assert (sample.labels["job"], sample.labels["instance"]) == ("reconstream-replay", "replay")
                labels = " ".join(value for name, value in sample.labels.items() if name not in COMMON)
                name = sample.name.removeprefix("reconstream_replay_")
                values = found.setdefault((name, labels), {})
                assert sample.timestamp is not None
                at = float(sample.timestamp) - T0
                assert at not in values
                values[at] = sample.value
    return found


def documents(text: str) -> list[str]:
    """The text without its histogram, and the histogram as of each time: the parser loses buckets of several times."""
    rest, _, histogram = text.rpartition("# TYPE ")
    assert histogram.endswith("# EOF\n")
    lines = histogram.splitlines()[:-1]
    heads = [f"# TYPE {lines[0]}", *(line for line in lines[1:] if line.startswith("#"))]
    by_time: dict[str, list[str]] = {}
    for line in lines[len(heads) :]:
        by_time.setdefault(line.rpartition(" ")[2], []).append(line)
    return [f"{rest}# EOF\n", *("\n".join([*heads, *of_time, "# EOF\n"]) for of_time in by_time.values())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replay.om"


@pytest.fixture
def metrics(path: Path, tmp_path: Path) -> Iterator[ReplayMetrics]:
    made = ReplayMetrics(path, 60_000, "replay", directory=tmp_path)
    yield made
    made.discard()


def scores(metrics: ReplayMetrics, series: str, seconds: Sequence[float], values: Sequence[float]) -> None:
    metrics.append_scores("pumps", [series] * len(values), ns(*seconds), np.array(values, np.float64), 2.0)


def incident(*levels: float, series: str = "web-1") -> list[Event]:
    """Events of scores a second apart."""
    tracker = IncidentTracker(POLICY, IDENTITY)
    return [event for i, level in enumerate(levels) for event in tracker.advance(scored(i, level, series))]


def test_the_greatest_of_each_step_carries_the_time_of_its_end(metrics, path):
    scores(metrics, "a", [0, 1, 59, 60, 61], [1.0, 4.0, 6.0, 5.0, 3.0])
    scores(metrics, "b", [0, 30], [np.nan, 2.0])
    metrics.close()
    found = told(path)
    # The score at 0 ends its step; those at 1 to 60 are in the next.
    assert found["series_score_threshold_ratio", "a"] == {0: 0.5, 60: 3.0, 120: 1.5}
    assert found["series_score_threshold_ratio", "b"] == {60: 1.0}
    assert found["windows_scored_total", ""] == {0: 1, 60: 5, 120: 6}
    assert found["windows_unscored_total", "coverage"] == {0: 1, 60: 1, 120: 1}


def test_the_histogram_is_that_of_all_scores(metrics, path):
    scores(metrics, "a", [0, 1, 2, 61], [2.0, 2.02, 500.0, 0.1])
    metrics.close()
    found = told(path)
    assert found["score_threshold_ratio_bucket", "0.1"] == {0: 0, 60: 0, 120: 1}
    assert found["score_threshold_ratio_bucket", "1.0"] == {0: 1, 60: 1, 120: 2}
    assert found["score_threshold_ratio_bucket", "1.02"] == {0: 1, 60: 2, 120: 3}
    assert found["score_threshold_ratio_bucket", "100.0"] == {0: 1, 60: 2, 120: 3}
    assert found["score_threshold_ratio_bucket", "+Inf"] == {0: 1, 60: 3, 120: 4}
    assert found["score_threshold_ratio_count", ""] == {0: 1, 60: 3, 120: 4}
    assert found["score_threshold_ratio_sum", ""][120] == pytest.approx(1.0 + 1.01 + 250 + 0.05)


def test_an_incident_is_open_in_every_step_that_it_touches(path, tmp_path):
    # Opens with the second 3, becomes critical with the 9, closes with the last 0; START_NS is second 5 of a minute.
    events = incident(3, 3, 3, 9, 3, 0, 0, 0, 0, 0)
    assert [(event.event, event.severity) for event in events] == [
        ("opened", "warning"), ("updated", "critical"), ("closed", "critical"),
    ]  # fmt: skip
    metrics = ReplayMetrics(path, 1000, "replay", directory=tmp_path)
    times = START_NS + np.arange(10) * SECOND_NS
    metrics.append_scores("servers", ["web-1"] * 10, times, np.ones(10), 1.0)
    metrics.append_events(events)
    metrics.close()
    found = {name: list(values.values()) for name, values in told(path).items()}
    assert found["incidents_open", "reconstruction warning"] == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert found["incidents_open", "reconstruction critical"] == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert found["incidents_open", "silence info"] == [0] * 10
    # By series only while it lasts, and once behind it.
    assert found["series_incidents_open", "web-1 reconstruction warning"] == [1, 1, 0]
    assert found["series_incidents_open", "web-1 reconstruction critical"] == [1, 1, 1, 1, 1, 0]
    assert found["anomalies_total", "reconstruction warning"] == [0, *[1] * 9]
    assert found["anomalies_total", "reconstruction critical"] == [0] * 10
    assert found["events_total", "opened warning"] == [0, *[1] * 9]
    assert found["events_total", "closed critical"] == [0] * 7 + [1] * 3


def test_an_incident_that_is_shorter_than_a_step_is_seen(metrics, path):
    metrics.append_events(incident(3, 3, 0, 0, 0))
    metrics.append_scores("servers", ["web-1"], np.array([START_NS + 2 * MINUTE_NS]), np.zeros(1), 1.0)
    metrics.close()
    assert list(told(path)["incidents_open", "reconstruction warning"].values()) == [1, 0]


def test_an_incident_that_opened_before_the_range_is_open_from_the_first_step_on(metrics, path):
    _, _, closed = incident(3, 3, 3, 9, 3, 0, 0, 0)
    early = START_NS - 5 * MINUTE_NS
    metrics.append_events([closed])
    metrics.append_scores("servers", ["web-1"] * 2, np.array([early, START_NS + 3 * MINUTE_NS]), np.zeros(2), 1.0)
    metrics.close()
    found = told(path)
    assert list(found["incidents_open", "reconstruction critical"].values()) == [1, 1, 0]
    assert list(found["anomalies_total", "reconstruction critical"].values()) == [0, 0, 0]


def test_partitions_in_any_order_give_the_same_text(path, tmp_path):
    """One after the other, as in a replay as lived, or interleaved."""
    random = np.random.default_rng(5)
    chunks = [
        (f"s{i % 3}", np.sort(random.integers(0, 900, 40)).tolist(), random.uniform(0, 4, 40).tolist())
        for i in range(9)
    ]
    texts = []
    for order in (chunks, chunks[::-1]):
        metrics = ReplayMetrics(path, 60_000, "replay", directory=tmp_path)
        for series, seconds, values in order:
            scores(metrics, series, seconds, [round(value, 1) for value in values])
        metrics.close()
        texts.append([line for line in path.read_text().splitlines() if "_sum{" not in line])
    assert texts[0] == texts[1]
    assert texts[0][-1] == "# EOF"


def test_a_wrong_time_adds_one_step(metrics, path):
    scores(metrics, "a", [0, 3_000_000_000], [1.0, 1.0])
    metrics.close()
    assert list(told(path)["windows_scored_total", ""]) == [0, 3_000_000_000]


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "two\nlines", 'a\\"b\\n', "ünï 😀", '{a="b"} # 1 2'])
def test_any_name_of_a_series_comes_back(metrics, path, name):
    scores(metrics, name, [0], [1.0])
    metrics.close()
    assert told(path)["series_score_threshold_ratio", name] == {0: 0.5}


def test_nothing_was_replayed(metrics, path):
    metrics.close()
    assert told(path) == {}
    assert path.read_text().endswith("# EOF\n")


def test_what_is_there_stays_until_the_whole_is_written(metrics, path):
    path.write_text("before")
    scores(metrics, "a", [0], [1.0])
    assert path.read_text() == "before"
    metrics.discard()
    assert path.read_text() == "before"
    assert [one.name for one in path.parent.iterdir()] == ["replay.om"]


@pytest.mark.parametrize("missing", ["file", "directory"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, missing):
    nowhere = tmp_path / "nowhere"
    file, directory = (nowhere / "replay.om", tmp_path) if missing == "file" else (tmp_path / "replay.om", nowhere)
    with pytest.raises(ConfigError, match="check the directory" if missing == "file" else "name another directory in"):
        ReplayMetrics(file, 60_000, "replay", directory=directory)
    assert list(tmp_path.iterdir()) == []


def test_another_prefix(path, tmp_path):
    metrics = ReplayMetrics(path, 60_000, "replay", "reconstream_", tmp_path)
    scores(metrics, "a", [0], [1.0])
    metrics.close()
    names = {line.split("{")[0] for line in path.read_text().splitlines() if not line.startswith("#")}
    assert {"reconstream_series_score_threshold_ratio", "reconstream_windows_scored_total"} <= names
    assert not any("replay" in name for name in names)


@pytest.mark.parametrize("prefix", ["", "9x", "a b", "a:b", "a-"])
def test_a_prefix_that_begins_no_name(path, prefix):
    with pytest.raises(ConfigError, match=r"--openmetrics-prefix: .* cannot begin a name of Prometheus; use letters"):
        OpenMetricsSink(path, 60_000, prefix, str)
    assert not path.exists()


def test_names_that_no_worker_and_no_other_file_of_a_replay_uses():
    """What a worker exports, and what a replay leaves about itself, are other names with the prefix of replays."""
    others = {one.name for one in (*Metrics(CollectorRegistry()).descriptions, *replay_run.descriptions())}
    assert others
    assert not others & {family.sample(REPLAY_PREFIX) for family in FAMILIES}


def test_behind_the_prefix_names_and_labels_are_the_live_ones():
    live = {one.name: one for one in Metrics(CollectorRegistry()).descriptions}
    shared = [family for family in FAMILIES if family.sample("reconstream_") in live]
    assert len(shared) == len(FAMILIES)
    for family in shared:
        one = live[family.sample("reconstream_")]
        assert one.kind == family.kind
        assert set(one.labels) <= set(family.labels), family


@pytest.mark.parametrize(
    ("periods_s", "step_s"), [([], 60), ([None], 60), ([10], 60), ([10, 90], 90), ([300], 300), ([3600], 300)]
)
def test_the_usual_step(periods_s, step_s):
    periods_ns = [None if one is None else one * SECOND_NS for one in periods_s]
    assert step_ms(None, periods_ns) == 1000 * step_s


def test_a_step_that_is_asked_for():
    assert step_ms("1m30s", []) == 90_000
    for wrong in ("soon", "0", "0.5s", "-1s"):
        with pytest.raises(ConfigError, match="--openmetrics-step: "):
            step_ms(wrong, [])
