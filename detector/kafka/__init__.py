"""The only importer of kafka-python."""
