"""A local single-node Apache Kafka for demos and tests (extra ``broker``): its own Java, its own verified jars."""

from detector.broker.local import LocalBroker
from detector.broker.properties import Listener, Scram

__all__ = ["Listener", "LocalBroker", "Scram"]
