"""The services of docker-compose.yml run as they are written, in the order in which `docker compose up` starts them.

It is one test, since each step needs those before it and a model that is trained, and tests are spread over processes.
"""

from __future__ import annotations

import signal
import urllib.request

import pytest

from tests.deploy.compose import Machine, compose
from tests.deploy.conftest import TRAIN_ROWS
from tests.deploy.dockerfile import stages
from tests.support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.keras]
SERVERS = 4
HISTORY = SERVERS * TRAIN_ROWS


def metric(machine: Machine, name: str) -> float:
    """Sum over the labels of one of the worker's metrics."""
    with urllib.request.urlopen(f"http://{machine.names['127.0.0.1:9464']}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].partition(" ")[0] == name)


def consumed(machine: Machine) -> float:
    return metric(machine, "reconstream_records_consumed_total")


def test_the_stack_comes_up_works_and_ends_in_good_order(machine: Machine) -> None:
    a_model_is_made_once(machine)
    a_service_becomes_healthy(machine, "worker")
    the_worker_goes_through_what_was_and_follows_what_is_streamed(machine)
    a_service_becomes_healthy(machine, "dashboard")
    the_dashboard_is_there_for_this_machines_browser(machine)
    a_model_that_is_trained_anew_is_compared_with_the_present_one(machine)
    for name in ("dashboard", "worker"):
        a_service_ends_in_good_order(machine, name)


def a_model_is_made_once(machine: Machine) -> None:
    done = machine.run("model")
    assert done.returncode == 0, done.stderr
    assert f"published {HISTORY:,} records of {SERVERS} series to 'telemetry'" in done.stdout
    again = machine.run("model")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def a_service_becomes_healthy(machine: Machine, name: str) -> None:
    assert not machine.healthy(name), "nothing runs yet"
    machine.start(name)
    until(lambda: machine.healthy(name), what=lambda: machine.log(name))


def the_worker_goes_through_what_was_and_follows_what_is_streamed(machine: Machine) -> None:
    until(lambda: consumed(machine) >= HISTORY, what=lambda: machine.log("worker"))
    publisher = machine.start("publisher")
    until(lambda: consumed(machine) > HISTORY + SERVERS, what=lambda: machine.log("publisher"))
    assert metric(machine, "reconstream_records_rejected_total") == 0
    assert metric(machine, "reconstream_records_late_total") == 0
    publisher.send_signal(getattr(signal, compose()["services"]["publisher"]["stop_signal"]))
    assert publisher.wait(60) == 130, machine.log("publisher")
    assert "records were acknowledged by 'telemetry'" in machine.log("publisher")


def the_dashboard_is_there_for_this_machines_browser(machine: Machine) -> None:
    address = machine.names["127.0.0.1:9465"].replace("127.0.0.1", "localhost")
    with urllib.request.urlopen(f"http://{address}/api/incidents", timeout=60) as answer:
        assert answer.status == 200


def a_model_that_is_trained_anew_is_compared_with_the_present_one(machine: Machine) -> None:
    done = machine.run("retrain")
    assert done.returncode == 0, done.stderr
    assert "registry" in done.stdout, done.stdout


def a_service_ends_in_good_order(machine: Machine, name: str) -> None:
    process = machine.processes[name]
    process.send_signal(getattr(signal, stages()[name].stop_signal))
    assert process.wait(60) == 0, machine.log(name)
    assert not machine.healthy(name)


def test_kafkas_health_check_tells_whether_it_listens(machine: Machine) -> None:
    assert machine.healthy("kafka")
    listening = machine.names["127.0.0.1/19092"]
    try:
        machine.names["127.0.0.1/19092"] = "127.0.0.1/1"
        assert not machine.healthy("kafka")
    finally:
        machine.names["127.0.0.1/19092"] = listening
