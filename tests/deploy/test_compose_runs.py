"""The services of docker-compose.yml run as they are written, in the order in which `docker compose up` starts them."""

from __future__ import annotations

import signal
import urllib.request

import pytest

from tests.deploy.compose import Machine, compose
from tests.deploy.conftest import TRAIN_ROWS, wait_until
from tests.deploy.dockerfile import stages

pytestmark = [pytest.mark.kafka, pytest.mark.keras]
SERVERS = 4


def metric(machine: Machine, name: str) -> float:
    """Sum over the labels of one of the worker's metrics."""
    with urllib.request.urlopen(f"http://{machine.names['127.0.0.1:9464']}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].partition(" ")[0] == name)


@pytest.fixture(scope="module")
def model(machine: Machine) -> Machine:
    done = machine.run("model")
    assert done.returncode == 0, done.stderr
    assert f"published {SERVERS * TRAIN_ROWS:,} records of {SERVERS} series to 'telemetry'" in done.stdout
    return machine


@pytest.fixture(scope="module")
def worker(model: Machine) -> Machine:
    assert not model.healthy("worker"), "nothing runs yet"
    model.start("worker")
    wait_until(lambda: model.healthy("worker"), told=lambda: model.log("worker"))
    return model


def test_kafkas_health_check_tells_whether_it_listens(machine: Machine) -> None:
    assert machine.healthy("kafka")
    listening = machine.names["127.0.0.1/19092"]
    try:
        machine.names["127.0.0.1/19092"] = "127.0.0.1/1"
        assert not machine.healthy("kafka")
    finally:
        machine.names["127.0.0.1/19092"] = listening


def test_a_model_is_made_once(model: Machine) -> None:
    again = model.run("model")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_the_worker_goes_through_what_was_and_follows_what_is_streamed(worker: Machine) -> None:
    history = SERVERS * TRAIN_ROWS
    wait_until(lambda: metric(worker, "reconstream_records_consumed_total") >= history)
    publisher = worker.start("publisher")
    wait_until(
        lambda: metric(worker, "reconstream_records_consumed_total") > history + SERVERS,
        told=lambda: worker.log("publisher"),
    )
    assert metric(worker, "reconstream_records_rejected_total") == 0
    assert metric(worker, "reconstream_records_late_total") == 0
    # As it is stopped by its image's signal or the service's own.
    publisher.send_signal(getattr(signal, compose()["services"]["publisher"]["stop_signal"]))
    assert publisher.wait(60) == 130, worker.log("publisher")
    assert "records were acknowledged by 'telemetry'" in worker.log("publisher")


def test_the_dashboard_shows_the_workers_stream(worker: Machine) -> None:
    assert not worker.healthy("dashboard")
    dashboard = worker.start("dashboard")
    wait_until(lambda: worker.healthy("dashboard"), told=lambda: worker.log("dashboard"))
    # As a browser on the machine that the port is published on asks for it.
    address = worker.names["127.0.0.1:9465"].replace("127.0.0.1", "localhost")
    with urllib.request.urlopen(f"http://{address}/api/incidents", timeout=60) as answer:
        assert answer.status == 200
    dashboard.send_signal(getattr(signal, stages()["dashboard"].stop_signal))
    assert dashboard.wait(60) == 0, worker.log("dashboard")
    assert not worker.healthy("dashboard")


def test_a_model_that_is_trained_anew_is_compared_with_the_present_one(worker: Machine) -> None:
    done = worker.run("retrain")
    assert done.returncode == 0, done.stderr
    assert "registry" in done.stdout, done.stdout


def test_the_worker_ends_in_good_order(worker: Machine) -> None:
    (process,) = [each for each in worker.started if "run" in each.args]  # type: ignore[operator]
    process.send_signal(getattr(signal, stages()["worker"].stop_signal))
    assert process.wait(60) == 0, worker.log("worker")
    assert not worker.healthy("worker")
