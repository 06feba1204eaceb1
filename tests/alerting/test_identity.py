from __future__ import annotations

from dataclasses import replace

import pytest

from detector.alerting.identity import event_id, incident_id


def test_ids_are_32_hex_digits_and_the_same_every_time(identity):
    # Golden, computed apart with sha256 over b"20:reconstream incident7:servers22:k1Qm..." and so on.
    incident = incident_id(identity, "web-1", "reconstruction", 101)
    assert incident == "6d7816e7301b05be7a7e7efdca0a39b7"
    assert event_id(incident, "opened", 0) == "fb82e8ccfc59dfc734739e1d365485e4"


@pytest.mark.parametrize("field", ["stream", "cluster", "topic", "model", "fingerprint"])
def test_everything_that_tells_incidents_apart_changes_the_id(identity, field):
    other = replace(identity, **{field: getattr(identity, field) + "x"})
    assert incident_id(other, "web-1", "reconstruction", 1) != incident_id(identity, "web-1", "reconstruction", 1)


@pytest.mark.parametrize(
    ("series", "kind", "offset"),
    [("web-2", "reconstruction", 1), ("web-1", "silence", 1), ("web-1", "reconstruction", 2)],
)
def test_series_kind_and_offset_change_the_id(identity, series, kind, offset):
    assert incident_id(identity, series, kind, offset) != incident_id(identity, "web-1", "reconstruction", 1)


def test_the_partition_changes_the_id(identity):
    other = replace(identity, partition=4)
    assert incident_id(other, "web-1", "reconstruction", 1) != incident_id(identity, "web-1", "reconstruction", 1)


def test_the_model_version_is_for_people_only(identity):
    other = replace(identity, model_version="renamed")
    assert incident_id(other, "web-1", "reconstruction", 1) == incident_id(identity, "web-1", "reconstruction", 1)


def test_text_cannot_move_from_one_part_to_the_next(identity):
    one = replace(identity, cluster="ab", topic="c")
    other = replace(identity, cluster="a", topic="bc")
    assert incident_id(one, "s", "k", 1) != incident_id(other, "s", "k", 1)
    # A length that is part of the text does not help either.
    one = replace(identity, cluster="a", topic="1:b")
    other = replace(identity, cluster="a3:1:b", topic="")
    assert incident_id(one, "s", "k", 1) != incident_id(other, "s", "k", 1)


def test_events_of_an_incident_differ_by_step_and_sequence():
    ids = {event_id("i", step, sequence) for step in ("opened", "updated", "closed") for sequence in range(3)}
    assert len(ids) == 9
