"""The stream side of reconstream: records in, incidents out."""

__version__ = "0.1.0"
