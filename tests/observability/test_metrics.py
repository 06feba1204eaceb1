"""Metrics as Prometheus sees them, each test with a registry of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from detector.observability.document import document
from detector.observability.histogram import BulkHistogram
from detector.observability.metrics import Metrics
from detector.observability.metrics.bounds import RATIO_BOUNDS

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_bulk_histogram_agrees_with_prometheus_client(registry: CollectorRegistry) -> None:
    # Values on, between and beyond the bounds.
    values = np.concatenate([np.random.default_rng(1).exponential(1.0, 5000), RATIO_BOUNDS, [0.0, 1e9]])
    bulk = BulkHistogram("bulk", "text", (), RATIO_BOUNDS, registry)
    theirs = Histogram("theirs", "text", buckets=RATIO_BOUNDS, registry=registry)
    for part in np.array_split(values, 7):
        bulk.observe_many(part)
    for value in values:
        theirs.observe(value)
    for bound in [*(str(float(bound)) for bound in RATIO_BOUNDS), "+Inf"]:
        expected = registry.get_sample_value("theirs_bucket", {"le": bound})
        assert expected is not None
        assert registry.get_sample_value("bulk_bucket", {"le": bound}) == expected, bound
    assert registry.get_sample_value("bulk_count") == len(values)
    assert registry.get_sample_value("bulk_sum") == pytest.approx(registry.get_sample_value("theirs_sum"), rel=1e-12)


def test_bulk_histogram_leaves_nan_out(registry: CollectorRegistry) -> None:
    histogram = BulkHistogram("h", "text", ("stream",), (1.0, 2.0), registry)
    histogram.observe_many(np.array([[0.5, np.nan], [1.0, 7.0]], dtype=np.float32), "a")
    histogram.observe(float("nan"), "a")
    assert registry.get_sample_value("h_count", {"stream": "a"}) == 3
    assert registry.get_sample_value("h_sum", {"stream": "a"}) == 8.5
    assert registry.get_sample_value("h_bucket", {"stream": "a", "le": "1.0"}) == 2


def test_bulk_histogram_keeps_labels_apart_and_starts_at_zero(registry: CollectorRegistry) -> None:
    histogram = BulkHistogram("h", "text", ("stream",), (1.0,), registry)
    histogram.initialise("a")
    histogram.observe_many([0.5, 3.0], "b")
    assert registry.get_sample_value("h_count", {"stream": "a"}) == 0
    assert registry.get_sample_value("h_count", {"stream": "b"}) == 2
    assert registry.get_sample_value("h_count", {"stream": "c"}) is None


@pytest.mark.parametrize("bounds", [(), (2.0, 1.0), (1.0, 1.0), (-1.0, 1.0), (1.0, float("inf"))])
def test_bulk_histogram_refuses_bounds(registry: CollectorRegistry, bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="finite, not negative, distinct and ascending"):
        BulkHistogram("h", "text", (), bounds, registry)


def test_bulk_histogram_refuses_the_wrong_number_of_labels(registry: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match=r"h: one value for each label of \('stream',\)"):
        BulkHistogram("h", "text", ("stream",), (1.0,), registry).observe(1.0)


def test_bulk_histogram_refuses_a_name_that_is_taken(registry: CollectorRegistry) -> None:
    BulkHistogram("h", "text", (), (1.0,), registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        BulkHistogram("h", "text", (), (1.0,), registry)


def test_a_stream_is_exposed_at_zero(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.add_stream("s", rejection_reasons=["not_json"])
    assert registry.get_sample_value("reconstream_records_rejected_total", {"stream": "s", "reason": "not_json"}) == 0
    assert (
        registry.get_sample_value(
            "reconstream_anomalies_total", {"stream": "s", "kind": "silence", "severity": "critical"}
        )
        == 0
    )
    assert registry.get_sample_value("reconstream_series", {"stream": "s", "state": "warming_up"}) == 0
    assert registry.get_sample_value("reconstream_score_threshold_ratio_count", {"stream": "s"}) == 0
    assert registry.get_sample_value("reconstream_commits_total", {"outcome": "unknown"}) == 0
    event = {"stream": "s", "event": "closed", "severity": "info"}
    assert registry.get_sample_value("reconstream_events_total", event) == 0


def test_lag_of_a_partition_that_was_taken_away_is_gone(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.records.set_lag("s", "t", 0, 5, 1.5)
    metrics.records.set_lag("s", "t", 1, 7, 2.5)
    metrics.records.remove_partition("s", "t", 0)
    metrics.records.remove_partition("s", "t", 9)
    for name, value in (("reconstream_consumer_lag_records", 7), ("reconstream_consumer_lag_seconds", 2.5)):
        assert registry.get_sample_value(name, {"stream": "s", "topic": "t", "partition": "0"}) is None
        assert registry.get_sample_value(name, {"stream": "s", "topic": "t", "partition": "1"}) == value


def test_a_new_model_takes_the_place_of_the_old(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.running.set_model("s", model="aa", version="1", runtime="onnx")
    metrics.running.set_model("s", model="bb", version="2", runtime="onnx")
    samples = [sample for family in registry.collect() for sample in family.samples if "model_info" in sample.name]
    assert [sample.labels for sample in samples] == [{"stream": "s", "model": "bb", "version": "2", "runtime": "onnx"}]


def test_both_expositions_parse_and_carry_the_prefix(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.add_stream("s")
    metrics.scores.threshold_ratio.observe_many([0.5, 2.5], "s")
    families = list(text_string_to_metric_families(generate_openmetrics(registry).decode()))
    assert families
    assert all(family.name.startswith("reconstream_") for family in families)
    assert b'reconstream_score_threshold_ratio_bucket{le="3.0",stream="s"} 2.0' in generate_latest(registry)


def test_two_workers_in_one_process_need_two_registries(registry: CollectorRegistry) -> None:
    Metrics(registry)
    Metrics(CollectorRegistry())
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Metrics(registry)


def test_no_series_tells_when_another_was_born(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.add_stream("s", ["not_json"])
    metrics.delivery.commits.labels("committed").inc()
    assert b"_created" not in generate_latest(registry)


def test_no_label_is_unbounded(registry: CollectorRegistry) -> None:
    descriptions = Metrics(registry).descriptions
    labels = {label for metric in descriptions for label in metric.labels}
    assert not labels & {"key", "offset", "error", "exception"}
    # Of these the settings bound the number of values.
    assert {metric.name for metric in descriptions if "series" in metric.labels} == {
        "reconstream_series_score_threshold_ratio", "reconstream_series_incidents_open",
    }  # fmt: skip


def test_the_document_is_up_to_date(registry: CollectorRegistry) -> None:
    text = document(Metrics(registry).descriptions)
    assert DOCS.read_text() == text, "run: python -m detector.observability.document > docs/metrics.md"


def test_the_document_names_every_metric_once(registry: CollectorRegistry) -> None:
    metrics = Metrics(registry)
    metrics.add_stream("s", ["not_json"])
    text = document(metrics.descriptions)
    described = {metric.name for metric in metrics.descriptions}
    exposed = set()
    for family in registry.collect():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        exposed.add(family.name + suffix)
    assert described == exposed
    assert all(text.count(f"| `{name}` |") == 1 for name in described)
