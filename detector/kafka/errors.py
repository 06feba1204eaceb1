"""kafka-python's errors, named for those who may not import it."""

from kafka.errors import KafkaError as TransientKafkaError

__all__ = ["TransientKafkaError"]
