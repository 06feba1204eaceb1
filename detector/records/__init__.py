"""Bytes to samples: decoders, field paths, event times, and the reader that puts them together."""
