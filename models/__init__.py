"""The Keras side of reconstream: arrays and files, never Kafka, topics or metrics."""
