"""How fast records become events, and windows become scores: ``python -m benchmarks.throughput``."""
